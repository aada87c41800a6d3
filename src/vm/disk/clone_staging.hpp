// SPDX-License-Identifier: MIT
// Where a clone is put together. Knows nothing of what is in it.
#pragma once

#include "host/lock.hpp"

#include <string>

namespace qlaunch {

/// The clone while it is no VM yet: a folder of another name, held by a lock, that any command
/// removes where the one that makes it was killed.
class Staging {
 public:
  explicit Staging(const std::string& name);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::string& path() const { return path_; }
  /// From here on there is the VM.
  void become(const std::string& folder);

 private:
  std::string path_;
  FileLock lock_;
};

}  // namespace qlaunch
