// SPDX-License-Identifier: MIT
// A point in time by which something must have happened, made from a duration or a time point.
// Does not wait for anything itself.
#pragma once

#include <chrono>

namespace qmp {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// So long from now. Durations beyond the clock's range mean never.
  template <class Rep, class Period>
  Deadline(std::chrono::duration<Rep, Period> patience)  // NOLINT(google-explicit-constructor)
      : at_(from_now(patience)) {}
  Deadline(Clock::time_point at) : at_(at) {}  // NOLINT(google-explicit-constructor)

  static Deadline never() { return Clock::time_point::max(); }

  [[nodiscard]] bool is_never() const { return at_ == Clock::time_point::max(); }
  [[nodiscard]] bool passed() const { return !is_never() && Clock::now() >= at_; }
  [[nodiscard]] Clock::time_point at() const { return at_; }

  /// The timeout argument of poll(): -1 for never, otherwise rounded up so that it cannot spin.
  [[nodiscard]] int poll_timeout() const;

 private:
  template <class Rep, class Period>
  static Clock::time_point from_now(std::chrono::duration<Rep, Period> patience) {
    using Seconds = std::chrono::duration<double>;
    const auto now = Clock::now();
    if (Seconds(patience) >= Seconds(Clock::time_point::max() - now)) {
      return Clock::time_point::max();
    }
    if (Seconds(patience) <= Seconds::zero()) return now;
    return now + std::chrono::duration_cast<Clock::duration>(patience);
  }

  Clock::time_point at_;
};

}  // namespace qmp
