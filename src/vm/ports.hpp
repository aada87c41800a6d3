// SPDX-License-Identifier: MIT
// The host's ports of a VM's forwards: free before a start, known and remembered after it. Forwards
// nothing itself.
#pragma once

#include "vm/live.hpp"
#include "vm/record.hpp"

namespace qlaunch {

/// Throws where a port is taken, with who has it.
void check_ports(const Plan& plan);

/// The ports QEMU took for "auto" forwards, read from its own table: no window in which another
/// process could take them. False where there is nothing to learn.
bool learn_ports(LiveRecord& live);

/// Which forwards of the profile say "auto", with the ports they have now. True where that is news.
bool remember_ports(Record& record, const Profile& profile, const LiveRecord& live);

}  // namespace qlaunch
