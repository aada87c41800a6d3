// SPDX-License-Identifier: MIT
// What the words behind `ssh` and `copy` mean: users, VMs, paths, a command for a guest's shell.
// Pure: knows no VM and looks at no file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// [USER@]VM, or [USER@]OUTER/INNER for a VM that runs in the guest of another.
struct SshTarget {
  std::string user;   // empty: not said
  std::string vm;     // a VM's name, or its profile; the outermost
  std::string inner;  // what the qlaunch in its guest is to reach; empty: the guest itself
};

/// Throws UsageError where the user is none that ssh would take.
SshTarget parse_ssh_target(const std::string& word);

/// A side of `copy`: [USER@]VM:PATH, or a path of this host.
struct CopyPlace {
  SshTarget target;  // vm is empty: this host
  std::string path;

  bool on_host() const { return target.vm.empty(); }
};

/// As scp reads it: what has a colon before any slash is in a guest; `./a:b` is a file here.
CopyPlace parse_copy_place(const std::string& word);

/// A line for the shell of a guest's user. One word is a line already, as ssh takes it; several
/// reach the program as they are. It starts in `folder` and fails with 125 where it cannot; empty:
/// where ssh starts. Without words it is the user's shell; empty where ssh starts that by itself.
std::string guest_command_line(const std::vector<std::string>& words, const std::string& folder);

/// A folder of the host that the guest sees.
struct SharedFolder {
  std::string path;   // absolute, on the host
  std::string mount;  // in the guest
};

/// Where the guest has this folder of the host; nothing where no share holds it.
std::optional<std::string> folder_in_guest(const std::vector<SharedFolder>& shares,
                                           std::string_view folder);

}  // namespace qlaunch
