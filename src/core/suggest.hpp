// SPDX-License-Identifier: MIT
// The word somebody probably meant. Does not phrase the question.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// Insertions, deletions, changed characters and swapped neighbours between two words.
int edit_distance(std::string_view left, std::string_view right);

/// The nearest candidate that is near enough for its length to be a slip; nothing otherwise.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace qlaunch
