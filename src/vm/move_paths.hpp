// SPDX-License-Identifier: MIT
// Paths in a plan after its VM got another name, or its folders another place. Moves no file.
#pragma once

#include "plan/host_facts.hpp"

#include <string>

namespace qlaunch {

/// A path, or a word of a command line with paths in it, where each folder of `from` has become
/// that of `to`.
std::string moved_text(std::string text, const VmPaths& from, const VmPaths& to);

/// A plan's JSON text: the same for every word of it. Text that is
/// no plan stays as it is.
std::string moved_plan(const std::string& plan, const std::string& name, const VmPaths& from,
                       const VmPaths& to);

}  // namespace qlaunch
