// SPDX-License-Identifier: MIT
// The board and its clock: machine type, accelerator, RTC, sleep states, boot menu.
// Does not choose the firmware.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Sets the board, which all later concerns ask for.
void add_machine(Draft& draft);
/// Wants the board.
void add_clock(Draft& draft);

}  // namespace qlaunch::planner
