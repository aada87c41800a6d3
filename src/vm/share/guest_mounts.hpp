// SPDX-License-Identifier: MIT
// What a guest says of its mounts and of who uses them: texts of its /proc, read. Asks no guest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// A line of /proc/self/mountinfo.
struct GuestMount {
  std::string source, type;
  std::string root;     // which part of the file system it shows; "/": all of it
  std::string target;   // where
  std::string options;  // of the mount and of the file system, as mount(8) takes them
};

/// In the order in which they were made. Lines that are none are left out.
std::vector<GuestMount> parse_mountinfo(std::string_view text);

/// A process of the guest that keeps something below a folder open.
struct GuestUser {
  long pid = 0;
  std::string path;  // what of it
  std::string how;   // "cwd", "root", "exe" or "fd"
};

/// From `ls -l /proc/[0-9]*/cwd …/root …/exe …/fd`: each process once.
std::vector<GuestUser> users_of(std::string_view listing, const std::string& folder);

}  // namespace qlaunch
