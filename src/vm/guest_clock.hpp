// SPDX-License-Identifier: MIT
// Sets a guest's clock to the host's, through the guest agent, after its time stood still: the host
// slept, the VM was paused or went back to a snapshot. Does not find out when that is needed.
#pragma once

#include "core/units.hpp"
#include "vm/live.hpp"

#include <string>

namespace qlaunch {

struct ClockSet {
  bool done = false;
  bool possible = true;  // false: the VM has no channel for an agent
  std::string why;       // not done: why, in words
};

/// Returns when the agent has set the guest's clock, or it has been seen to be right; at the latest
/// after `patience`. Never throws: a guest without an agent has a clock of its own to keep.
ClockSet set_guest_clock(const LiveRecord& live, Duration patience = std::chrono::seconds(5));

}  // namespace qlaunch
