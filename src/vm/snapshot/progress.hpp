// SPDX-License-Identifier: MIT
// How far a save is that QEMU says nothing about: by how much its file has grown. An estimate, and
// nothing depends on it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace qlaunch {

/// While it lives, `percent` is told from a thread of its own, now and then.
class FileGrowth {
 public:
  FileGrowth(std::string path, std::uint64_t expected, std::function<void(int)> percent);
  ~FileGrowth();
  FileGrowth(const FileGrowth&) = delete;
  FileGrowth& operator=(const FileGrowth&) = delete;

 private:
  void watch();

  std::string path_;
  std::uint64_t before_ = 0, expected_ = 0;
  std::function<void(int)> percent_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

/// Bytes that a file takes of the host's disk; 0 where there is none.
std::uint64_t allocated_size(const std::string& path);

}  // namespace qlaunch
