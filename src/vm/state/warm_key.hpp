// SPDX-License-Identifier: MIT
// What a saved ready state depends on, looked up on this machine: files by their stamps, QEMU, the
// processor. Compares nothing: that is plan/warm.hpp.
#pragma once

#include "plan/warm.hpp"
#include "vm/launch.hpp"

namespace qlaunch {

/// `prepared`: as for a run that saves its state.
WarmKey warm_key(const Prepared& prepared);

}  // namespace qlaunch
