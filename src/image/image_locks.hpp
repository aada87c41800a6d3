// SPDX-License-Identifier: MIT
// Who holds an image file, by the locks that QEMU and qemu-img put on it. Locks nothing, and does
// not see programs that put none (a loop mount).
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace qlaunch {

enum class ImageUse {
  none,
  reads,   // others may read it too, nobody may write
  writes,  // nobody else may use it
};

/// What other processes do with it now.
ImageUse image_use(const std::string& path);

/// True as soon as nobody is in the way of who wants to write it, or only to read it; false after a
/// moment. By then a qemu-img that only looks is done, and a QEMU that was killed taken apart.
bool await_image(const std::string& path, bool to_read = false);

struct ImageHolder {
  pid_t pid = 0;
  std::string program;  // "qemu-system-x86"
  bool writes = false;
};

/// The processes that hold these locks: those whose /proc this user may read, which are his own.
std::vector<ImageHolder> image_holders(const std::string& path);

/// "qemu-system-x86 (pid 4176)", several in a row; "another program" for none.
std::string describe_holders(const std::vector<ImageHolder>& holders);

/// How many descriptors of this process lead to the file.
std::size_t times_open(pid_t pid, const std::string& path);

/// What a line of /proc/PID/fdinfo/FD says of such a lock.
ImageUse image_use_in_fdinfo(const std::string& line);

}  // namespace qlaunch
