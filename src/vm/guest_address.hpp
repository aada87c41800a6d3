// SPDX-License-Identifier: MIT
// The address of a guest that is on a bridge with its host. Asks the guest's agent and the host's
// table of neighbours; sends nothing into the network.
#pragma once

#include "vm/live.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// Empty where none is known, and for a guest on QEMU's own network alone: it has one there, which
/// nobody reaches.
std::string guest_address(const LiveRecord& live);

/// The IPv4 address of the first of these cards in a table like /proc/net/arp; empty: in none.
std::string address_in_arp(std::string_view table, const std::vector<std::string>& cards);

}  // namespace qlaunch
