// SPDX-License-Identifier: MIT
// The addresses of a running VM's guest, as they were told last, and asking for them.
// Decides no time to ask: a keeper does, see address_watch.hpp.
#pragma once

#include "guest/addresses.hpp"
#include "vm/live.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// Nothing where no agent has told any in this run.
std::optional<GuestAddresses> read_addresses(const LiveRecord& live);

/// Asks the agent and writes down what it says. Nothing where none answers in time.
std::optional<GuestAddresses> ask_addresses(const LiveRecord& live, Duration patience);

/// What this host knows of guests on its bridges: its neighbours and the leases of its DHCP
/// servers.
std::vector<GuestAddressFact> addresses_on_bridges(const std::vector<std::string>& cards);

}  // namespace qlaunch
