// SPDX-License-Identifier: MIT
// What a snapshot may be called, and what it is called where nobody says. Does not know which tags
// there are.
#pragma once

#include <chrono>
#include <string>

namespace qlaunch {

constexpr std::size_t longest_tag = 128;

/// Throws UsageError, with the rule that the tag breaks.
void check_tag(const std::string& tag);

/// The time in the host's zone: "2026-01-31_12-05-09".
std::string tag_for(std::chrono::system_clock::time_point time);
/// What a revert keeps its VM's state as.
std::string before_revert_tag(std::chrono::system_clock::time_point time);

}  // namespace qlaunch
