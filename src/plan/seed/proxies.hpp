// SPDX-License-Identifier: MIT
// The variables by which programs in a guest learn of a web proxy. Asks nobody.
#pragma once

#include "plan/host_facts.hpp"
#include "profile/profile.hpp"

#include <map>
#include <string>

namespace qlaunch::seed {

/// Of the profile's `proxy`, in small and in capital letters. A proxy on the host's own loopback
/// gets the address by which a guest on the first user network reaches the host.
std::map<std::string, std::string> proxy_variables(const Profile& profile, const HostFacts& facts);

/// The host's address on this user network.
std::string host_address(const Network& network);

}  // namespace qlaunch::seed
