// SPDX-License-Identifier: MIT
// The guest's processors: model, features, nested virtualization, topology.
// Does not choose the accelerator: the plan's `kvm` has to stand already.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Wants `plan.kvm`.
void add_cpu(Draft& draft);

}  // namespace qlaunch::planner
