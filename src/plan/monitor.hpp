// SPDX-License-Identifier: MIT
// The two QMP sockets.
// Speaks no QMP.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// The first descriptors: `qmp` for commands, `keeper` for the keeper.
void add_monitor(Draft& draft);

}  // namespace qlaunch::planner
