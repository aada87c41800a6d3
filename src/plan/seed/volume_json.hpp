// SPDX-License-Identifier: MIT
// What qlaunch-seed is told of the volume that it is to make (see src/seed/main.cpp). Runs nothing.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// One file on a line, and beside them `qlaunch/provision`, which runs in the guest. `note` is kept
/// in the volume; it may be empty.
std::string seed_volume_json(const std::vector<MakeSeed::File>& files, const std::string& note);

}  // namespace qlaunch
