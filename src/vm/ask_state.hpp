// SPDX-License-Identifier: MIT
// Asks the QEMUs of many VMs for their state at once, so that one that does not answer holds up
// none of the others. Starts and changes nothing.
#pragma once

#include "vm/live.hpp"

#include <vector>

namespace qlaunch {

/// Each has a run. Fills in `state` and `qemu_state`; one that has ended meanwhile becomes stopped.
/// Returns when all have answered, at the latest after two seconds.
void ask_state(const std::vector<VmStatus*>& all);

}  // namespace qlaunch
