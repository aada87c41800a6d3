// SPDX-License-Identifier: MIT
// How far downloads are, as one line with a bar, the rate and the time left. Prints nothing and has
// no clock.
#pragma once

#include "image/pull.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace qlaunch {

/// Bytes a second over the last few seconds.
class TransferRate {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void add(Time now, std::uint64_t have);
  /// Nothing before it can be told.
  std::optional<double> per_second() const;

 private:
  std::deque<std::pair<Time, std::uint64_t>> samples_;
};

/// "debian   45% [####......]  563 MiB of 1.22 GiB  98.1 MiB/s  7s left"; what does not fit into
/// `room` columns goes: first the bar, then the sizes.
std::string download_text(const PullProgress& progress, std::optional<double> rate,
                          std::size_t room);

/// Those that go on at the same time.
class Downloads {
 public:
  std::string text(const PullProgress& progress, TransferRate::Time now, std::size_t room);

 private:
  struct One {
    PullProgress last;
    TransferRate rate;
    TransferRate::Time when;
  };
  std::map<std::string, One> all_;
};

}  // namespace qlaunch
