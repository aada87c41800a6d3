// SPDX-License-Identifier: MIT
// What a keeper has done about the inside of its guest while that runs: ports that appear on the
// host, addresses that are written down. All waiting is done by processes of their own.
#pragma once

#include "qmp/message.hpp"
#include "vm/address_watch.hpp"
#include "vm/port_watch.hpp"

#include <array>

namespace qlaunch {

class GuestWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit GuestWatch(const LiveRecord& live) : ports_(live), addresses_(live) {}

  void begin() { ports_.begin(); }
  void note(const qmp::Event& event);
  void stands_still();
  void goes_on();

  /// Readable, or past next(): look() has something to do.
  std::array<int, 2> fds() const { return {ports_.fd(), addresses_.fd()}; }
  std::optional<Clock::time_point> next() const;
  void look();

  /// The VM has ended.
  void end();

 private:
  PortWatch ports_;
  AddressWatch addresses_;
};

}  // namespace qlaunch
