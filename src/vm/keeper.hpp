// SPDX-License-Identifier: MIT
// The process beside a running VM: journals its events, stops the guest properly when the host
// asks, tidies up after it and says why it ended. No command needs it to be there.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

/// The body of the hidden `keeper` command, for a run whose live record exists. `report` is a pipe
/// to the launching `up` (or -1) that learns how QEMU ended if it does so before `up` is done.
int keep(const std::string& name, int report);

}  // namespace qlaunch
