// SPDX-License-Identifier: MIT
// Whether another QEMU holds a disk that is about to be used, and whose it is. Locks nothing.
#pragma once

#include "plan/plan.hpp"

namespace qlaunch {

/// Throws where a disk, or what an overlay of this start lies on, is held in a way that QEMU would
/// refuse, with the VM that holds it.
void check_disks(const Plan& plan);

}  // namespace qlaunch
