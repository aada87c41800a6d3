// SPDX-License-Identifier: MIT
// `qlaunch up --foreground`: a command that lasts as long as its VM. What it does meanwhile is
// vm/foreground.hpp.
#pragma once

#include "cli/start_vms.hpp"

namespace qlaunch {

/// Starts the one VM and stays with it. Returns the exit code, which tells how it ended.
int in_foreground(const std::vector<std::function<LaunchRequest()>>& requests, StartHow how,
                  Terminal& terminal);

}  // namespace qlaunch
