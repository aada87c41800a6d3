// SPDX-License-Identifier: MIT
// Has a guest's addresses written down for a keeper, so that `status` need not wait for an agent.
// Waits for none itself: a process of its own does, for a moment each time.
#pragma once

#include "host/files.hpp"
#include "vm/live.hpp"

#include <chrono>
#include <optional>

#include <sys/types.h>

namespace qlaunch {

class AddressWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// Lives as long as the watch.
  explicit AddressWatch(const LiveRecord& live) : live_(live) {}

  /// Asks now, and often at first.
  void agent_there();
  void agent_gone();
  /// Nobody in the guest can answer.
  void stands_still();
  void goes_on();
  /// Readable when what was asked is answered; -1 otherwise.
  int fd() const { return process_.get(); }
  void ended();
  /// When ask() is to be called.
  std::optional<Clock::time_point> next() const { return next_; }
  void ask();
  /// The VM has ended.
  void end();

 private:
  const LiveRecord& live_;
  pid_t pid_ = 0;
  UniqueFd process_;
  std::optional<Clock::time_point> next_;
  std::chrono::milliseconds pause_{0};
  bool there_ = false;
  // The agent may be there: a keeper that came later was not told.
  bool perhaps_ = true;
  int in_vain_ = 0;
};

}  // namespace qlaunch
