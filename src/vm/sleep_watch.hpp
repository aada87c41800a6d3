// SPDX-License-Identifier: MIT
// Notices that the host has slept, without looking at intervals. Sets no clocks.
#pragma once

#include "host/files.hpp"

#include <chrono>

namespace qlaunch {

/// Two clocks that differ by the time the host has slept since its boot.
struct Clocks {
  std::chrono::nanoseconds boot{};       // goes on while the host sleeps
  std::chrono::nanoseconds monotonic{};  // stands still then
};
Clocks read_clocks();

/// A guest's clock that is behind by less is left alone.
constexpr auto clock_tolerance = std::chrono::seconds(1);

/// How long the host slept between two looks; zero where it is not worth mentioning. A change of
/// the wall clock alone is no sleep.
std::chrono::nanoseconds time_slept(const Clocks& before, const Clocks& after);

class SleepWatch {
 public:
  SleepWatch();

  /// Readable after the host has slept, and after its wall clock was set. -1 where the kernel has
  /// no such thing.
  int fd() const { return timer_.get(); }
  /// How long it slept since the last look.
  std::chrono::nanoseconds look();

 private:
  void arm();

  UniqueFd timer_;
  Clocks last_;
};

}  // namespace qlaunch
