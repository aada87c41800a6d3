// SPDX-License-Identifier: MIT
// The volume that tells a guest who it is, its drive, and the port on which the guest says how far
// it is. Makes no file.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Where there is a [guest], or a share that the guest is to mount. Needs the network's addresses.
void add_seed(Draft& draft);

}  // namespace qlaunch::planner
