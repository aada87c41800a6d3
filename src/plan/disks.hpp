// SPDX-License-Identifier: MIT
// The profile's disks as block nodes and devices, and what makes their files.
// Does not find out whether a file exists: facts say so.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// In the profile's order; boot order by `machine.boot`.
void add_disks(Draft& draft);

}  // namespace qlaunch::planner
