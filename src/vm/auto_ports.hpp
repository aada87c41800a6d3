// SPDX-License-Identifier: MIT
// The file that says which ports of a running guest have appeared on the host by themselves.
// Makes none appear: the process that does is port_worker.hpp.
#pragma once

#include "guest/auto_forward.hpp"
#include "vm/live.hpp"

#include <vector>

namespace qlaunch {

/// Nothing where the VM has no `auto_forward`, or nobody has looked yet.
AutoPorts read_auto_ports(const LiveRecord& live);

/// Only whoever holds the command socket may: so nobody needs a lock of their own.
void write_auto_ports(const LiveRecord& live, const AutoPorts& ports);

/// Those that can be used, as `status` and `forward list` tell them.
std::vector<PlannedForward> auto_forwards(const LiveRecord& live);

}  // namespace qlaunch
