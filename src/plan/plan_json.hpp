// SPDX-License-Identifier: MIT
// A plan to JSON text and back, for a VM's record. Drops the reasons: they point into texts that
// may have changed by the time a record is read.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <string_view>

namespace qlaunch {

std::string plan_to_json(const Plan& plan);

/// Throws Error where the text is not a plan that this version can read.
Plan plan_from_json(std::string_view text);

}  // namespace qlaunch
