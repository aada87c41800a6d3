// SPDX-License-Identifier: MIT
// Defaults that depend on other values: names, what a CD-ROM is, the network nobody wrote.
// Plain defaults stand in profile.hpp and in the table of keys.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/profile.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// `path` is the profile's file, from which the VM has its name where it is not given one.
void complete_profile(Profile& profile, const std::string& path, std::vector<Diagnostic>& findings);

/// Whether something of the guest's port can be reached from the host: by a forward, or because
/// the guest is on a network of the host's.
bool reachable(const Profile& profile, std::uint16_t guest_port);

}  // namespace qlaunch
