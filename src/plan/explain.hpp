// SPDX-License-Identifier: MIT
// A plan for a reader: each argument beside the line or rule that put it there, and the exact
// argument arrays as JSON. Does not decide anything.
#pragma once

#include "plan/plan.hpp"

#include <string>

namespace qlaunch {

/// Preparations, helpers and QEMU, one argument a paragraph, reasons folded at `width`.
std::string explain_plan(const Plan& plan, int width = 80);

/// `args --json`: {"qemu": {"argv", "descriptors"}, "helpers", "preparations", "forwards", …},
/// indented, ended by a newline.
std::string plan_arguments_json(const Plan& plan);

}  // namespace qlaunch
