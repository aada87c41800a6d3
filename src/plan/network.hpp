// SPDX-License-Identifier: MIT
// Network back ends of every mode, their forwarded ports, and the cards in the guest.
// Chooses no ports.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// In the profile's order.
void add_network(Draft& draft);

}  // namespace qlaunch::planner
