// SPDX-License-Identifier: MIT
// What a changed profile would change, as text and as JSON. Compares nothing itself.
#pragma once

#include "vm/diff.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Two lines for each: the key with its values, and where it stands and when it takes effect.
std::string changes_text(const std::vector<ProfileChange>& changes, const std::string& margin = "");

/// The object that `diff` documents.
std::string changes_json(const Record& record, bool runs,
                         const std::vector<ProfileChange>& changes);

}  // namespace qlaunch
