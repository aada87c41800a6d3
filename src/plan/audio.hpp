// SPDX-License-Identifier: MIT
// Sound: the host's end and the card in the guest.
// Finds no driver by itself: `none` is the default.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Nothing where the driver is `none`.
void add_audio(Draft& draft);

}  // namespace qlaunch::planner
