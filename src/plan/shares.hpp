// SPDX-License-Identifier: MIT
// Folders of the host in the guest: 9p by QEMU itself, virtiofs by a helper each.
// Mounts nothing.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// In the profile's order.
void add_shares(Draft& draft);

}  // namespace qlaunch::planner
