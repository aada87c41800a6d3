// SPDX-License-Identifier: MIT
#include "vm/snapshot/progress.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

#include <sys/stat.h>

namespace qlaunch {
namespace {

constexpr auto interval = std::chrono::milliseconds(100);

}  // namespace

std::uint64_t allocated_size(const std::string& path) {
  struct stat facts {};
  constexpr std::uint64_t block = 512;
  return stat(path.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_blocks) * block : 0;
}

FileGrowth::FileGrowth(std::string path, std::uint64_t expected, std::function<void(int)> percent)
    : path_(std::move(path)),
      before_(allocated_size(path_)),
      expected_(std::max<std::uint64_t>(expected, 1)),
      percent_(std::move(percent)) {
  if (!percent_) return;
  // Signals are the main thread's.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

FileGrowth::~FileGrowth() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FileGrowth::watch() {
  constexpr std::uint64_t whole = 100;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval, [this] { return stop_; })) {
    const auto now = allocated_size(path_);
    const auto grown = now > before_ ? now - before_ : 0;
    // It is an estimate: the end is told by QEMU alone.
    percent_(static_cast<int>(std::min(grown * whole / expected_, whole - 1)));
  }
}

}  // namespace qlaunch
