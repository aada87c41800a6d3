// SPDX-License-Identifier: MIT
// Profiles that build on others: one tree laid over another. Does not read them.
#pragma once

#include "profile/keys.hpp"
#include "profile/tree.hpp"

#include <string>

namespace qlaunch {

/// Gives the nameless disks and networks of one file the names that they go by: "root", "disk1" …,
/// "net0", "net1" …. Before merging, so that a nameless element meets its like.
void name_elements(Node& root);

/// Lays `over` onto `base`: tables key by key, lists of tables by what their elements are called,
/// everything else replaced.
void merge_over(Node& base, Node&& over);

/// What an element of a list is told apart by; empty where nothing says.
std::string element_identity(const Section& section, const Node& element);

}  // namespace qlaunch
