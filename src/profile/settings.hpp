// SPDX-License-Identifier: MIT
// `--set KEY=VALUE`: one value from the command line into the tree of a profile.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/tree.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Puts the value into the merged tree, or says what is wrong with the words. `source` is named
/// "--set" and holds the words as its one line.
void apply_setting(Node& root, const SourcePtr& source, std::vector<Diagnostic>& findings);

}  // namespace qlaunch
