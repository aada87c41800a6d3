// SPDX-License-Identifier: MIT
// What shows the guest's screen, its graphics card, clipboard and sound.
// Opens no window.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Resolves `auto`; every guest with a graphics card also gets a private VNC socket.
void add_display(Draft& draft);

}  // namespace qlaunch::planner
