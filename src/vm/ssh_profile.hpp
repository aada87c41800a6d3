// SPDX-License-Identifier: MIT
// What ssh wants to know of the profile that a VM was started with, and its plan does not tell.
// Reads the record, not what the file says now.
#pragma once

#include "guest/ssh_words.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Whether a systemd credential gives root's login a key.
bool root_has_key(const std::string& vm);

/// The shares that the guest is told to mount, by their real paths.
std::vector<SharedFolder> mounted_shares(const std::string& vm);

/// MAC addresses of the cards by which this host reaches the guest directly.
std::vector<std::string> reachable_cards(const std::string& vm,
                                         const std::vector<std::string>& macs);

}  // namespace qlaunch
