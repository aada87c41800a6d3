// SPDX-License-Identifier: MIT
// A keeper's side of `auto_forward`: has a process beside it that makes ports appear, and tells
// that one what QEMU says. Waits for no guest itself.
#pragma once

#include "host/files.hpp"
#include "vm/live.hpp"
#include "vm/port_worker.hpp"

#include <chrono>
#include <optional>

#include <sys/types.h>

namespace qlaunch {

class PortWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// Lives as long as the watch. Does nothing for a VM without `auto_forward`.
  explicit PortWatch(const LiveRecord& live) : live_(live) {}

  void begin();
  void tell(PortNews news) const;
  /// Readable when the process has ended; -1 without one.
  int fd() const { return process_.get(); }
  void ended();
  /// When begin() is to be called again.
  std::optional<Clock::time_point> again() const { return again_; }
  /// The VM has ended.
  void end();

 private:
  const LiveRecord& live_;
  pid_t pid_ = 0;
  UniqueFd process_, news_;
  std::optional<Clock::time_point> again_;
};

}  // namespace qlaunch
