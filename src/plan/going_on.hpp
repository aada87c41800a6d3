// SPDX-License-Identifier: MIT
// The plan of a run turned into that of a QEMU that goes on where the run's state was saved: the
// same devices, other ports where need be. Loads no state.
#pragma once

#include "plan/plan.hpp"

#include <vector>

namespace qlaunch {

/// QEMU waits for the state; serial log continued. `forwards` take the place of the plan's own.
/// Overlays that were to be made anew are left as they are.
Plan going_on(Plan plan, const std::vector<PlannedForward>& forwards);

}  // namespace qlaunch
