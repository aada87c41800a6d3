// SPDX-License-Identifier: MIT
// Sets the guest's clock after the guest or the host stood still, for the keeper. Waits for no
// agent: a process of its own does.
#pragma once

#include "vm/live.hpp"

#include <chrono>
#include <optional>

#include <sys/types.h>

namespace qlaunch {

class ClockWatch {
 public:
  /// Lives as long as the watch.
  explicit ClockWatch(const LiveRecord& live) : live_(live) {}

  /// The guest is paused, saved or loaded. What its agent was asked it may never have heard of.
  void stands_still();
  void goes_on();
  void host_slept(std::chrono::nanoseconds time) { stood_still(time, "the host slept"); }

 private:
  void stood_still(std::chrono::nanoseconds time, const char* why);
  /// Ends a setting that is still under way; its time stays owed.
  void take_back();

  const LiveRecord& live_;
  std::optional<std::chrono::nanoseconds> since_;  // of the clock that counts sleep, too
  std::chrono::nanoseconds owed_{0};               // the time that the last setting was about
  pid_t setter_ = 0;
};

}  // namespace qlaunch
