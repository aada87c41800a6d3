// SPDX-License-Identifier: MIT
// `qlaunch reset`: presses the reset button of VMs. How is in vm/power.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct ResetOptions {
  std::vector<std::string> vms;
};

void add_reset(CLI::App& app, ResetOptions& options);
int reset(const ResetOptions& options, Terminal& terminal);

}  // namespace qlaunch
