// SPDX-License-Identifier: MIT
// A lock between processes that ends with its holder, however that ends. Does not order threads.
#pragma once

#include "host/files.hpp"

#include <chrono>
#include <optional>
#include <string>

#include <sys/types.h>

namespace qlaunch {

/// An flock on a file, which holds the pid of whoever has it. The file stays when the lock goes:
/// removing it would let two hold "the" lock.
class FileLock {
 public:
  /// Opens or makes the file (0600, CLOEXEC, no symlink); takes nothing yet.
  explicit FileLock(std::string path);

  /// True where it is ours now (or was already).
  bool try_lock();

  /// Waits until then. False: somebody still has it, see holder().
  bool lock(std::chrono::steady_clock::time_point deadline);

  void unlock();
  bool locked() const { return locked_; }

  /// Who wrote itself into the file, if a process with this pid lives; a hint for messages.
  std::optional<pid_t> holder() const;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  UniqueFd fd_;
  bool locked_ = false;
};

}  // namespace qlaunch
