// SPDX-License-Identifier: MIT
// What a start shares with the other programs and VMs of its host: memory, and MAC addresses on one
// network. Stops nothing: both may be meant so.
#pragma once

#include "plan/plan.hpp"

namespace qlaunch {

/// What the user should know before the VM takes its place among them.
std::vector<Diagnostic> crowding(const Profile& profile, const Plan& plan);

}  // namespace qlaunch
