// SPDX-License-Identifier: MIT
// Freezes a run whose guest is ready: its state, memory, disks and firmware variables become files
// that nobody writes, and the run ends. Does not choose the moment.
#pragma once

#include "vm/live.hpp"
#include "vm/state/warm.hpp"

#include <functional>
#include <string>

namespace qlaunch {

/// `state` says what it depends on; the rest is filled in here. Where this throws, the guest goes
/// on, unless its QEMU has ended.
void save_warm(const LiveRecord& live, const std::string& root, WarmState& state,
               const std::function<bool()>& interrupted);

/// Ends a run, and waits until nothing of it is left.
void end_run(const LiveRecord& live);

}  // namespace qlaunch
