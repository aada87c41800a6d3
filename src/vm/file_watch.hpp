// SPDX-License-Identifier: MIT
// Wakes whoever waits for a file to grow, to appear or to be made anew. Reads nothing of it.
#pragma once

#include "host/files.hpp"

#include <string>

namespace qlaunch {

class FileWatch {
 public:
  /// The file need not be there yet, its folder has to. Throws where the kernel gives no watch.
  explicit FileWatch(const std::string& path);

  /// Readable when something has happened since the last clear().
  int fd() const { return notify_.get(); }
  void clear();

 private:
  UniqueFd notify_;
  std::string path_;
  bool on_file_ = false;

  void watch_file();
};

}  // namespace qlaunch
