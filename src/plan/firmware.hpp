// SPDX-License-Identifier: MIT
// What the guest starts from: UEFI found by descriptors, or a kernel directly.
// Lists no paths of firmware: distributions describe theirs.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// BIOS needs nothing here: it comes with the board. Wants the machine type.
void add_firmware(Draft& draft);

}  // namespace qlaunch::planner
