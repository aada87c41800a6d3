// SPDX-License-Identifier: MIT
// Small devices: hot-plug ports, random numbers, balloon, watchdog, panic notice, USB.
// Does not add disks, cards or shares.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Hot-plug ports first, so that their addresses do not move with the rest.
void add_devices(Draft& draft);

}  // namespace qlaunch::planner
