// SPDX-License-Identifier: MIT
// The guest's memory, and whether other processes share it.
// Does not know why they do.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Shared memory where a share's helper has to see it.
void add_memory(Draft& draft);

}  // namespace qlaunch::planner
