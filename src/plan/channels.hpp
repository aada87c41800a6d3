// SPDX-License-Identifier: MIT
// Serial console and guest agent: sockets and their ends in the guest.
// Talks to nobody.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Numbers descriptors after those of the monitors.
void add_channels(Draft& draft);

}  // namespace qlaunch::planner
