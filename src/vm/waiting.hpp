// SPDX-License-Identifier: MIT
// What the kinds of waiting share, and those that go over the network. Internal to wait.cpp.
#pragma once

#include "host/files.hpp"
#include "vm/live.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

namespace qlaunch {

/// What every kind of waiting needs: the VM, the end of its process, the deadline, Ctrl-C.
struct Waiting {
  using Clock = std::chrono::steady_clock;

  LiveRecord live;
  UniqueFd pidfd;
  Clock::time_point deadline;
  const std::function<bool()>& interrupted;

  enum class Woken { fact, time, interrupted };

  /// Until `fd` (or nothing, -1) is readable or `until` has come. Throws where the VM ends.
  Woken until(int fd, Clock::time_point until) const;
  [[noreturn]] void throw_ended() const;
};

/// The forward that leads to this TCP port of the guest; null where there is none.
const PlannedForward* forward_to(const LiveRecord& live, std::uint16_t guest_port);

/// True when it happened, false when interrupted; TimeoutError otherwise.
bool wait_ssh(const Waiting& waiting);
bool wait_port(const Waiting& waiting, std::uint16_t port);
/// Throws where the guest says that something failed.
bool wait_provisioned(const Waiting& waiting);

}  // namespace qlaunch
