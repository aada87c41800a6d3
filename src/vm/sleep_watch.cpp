// SPDX-License-Identifier: MIT
#include "vm/sleep_watch.hpp"

#include <cstdint>
#include <ctime>
#include <limits>

#include <sys/timerfd.h>
#include <unistd.h>

namespace qlaunch {
namespace {

std::chrono::nanoseconds read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Clocks read_clocks() {
  return {read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_MONOTONIC)};
}

std::chrono::nanoseconds time_slept(const Clocks& before, const Clocks& after) {
  const auto slept = (after.boot - after.monotonic) - (before.boot - before.monotonic);
  // The clocks are read one after the other, and this process may wait in between.
  return slept >= clock_tolerance ? slept : std::chrono::nanoseconds(0);
}

SleepWatch::SleepWatch()
    : timer_(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)), last_(read_clocks()) {
  arm();
}

void SleepWatch::arm() {
  if (!timer_) return;
  // Never due; but when the wall clock jumps, as it does at the end of a sleep, it is cancelled,
  // and that can be polled for.
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<int>::max();
  if (timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) !=
      0)
    timer_.reset();
}

std::chrono::nanoseconds SleepWatch::look() {
  std::uint64_t expirations = 0;
  if (read(timer_.get(), &expirations, sizeof expirations) != 0) arm();
  const auto now = read_clocks();
  const auto slept = time_slept(last_, now);
  last_ = now;
  return slept;
}

}  // namespace qlaunch
