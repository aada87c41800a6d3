// SPDX-License-Identifier: MIT
// The arguments about QEMU as a process: its name, its sandbox, no defaults.
// Does not describe the guest.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Comes first: it says which machine the rest describes.
void add_process(Draft& draft);

}  // namespace qlaunch::planner
