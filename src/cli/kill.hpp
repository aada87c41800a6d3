// SPDX-License-Identifier: MIT
// `qlaunch kill`: ends VMs without asking their guests. How is in vm/control.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct KillOptions {
  std::vector<std::string> vms;
};

void add_kill(CLI::App& app, KillOptions& options);
int kill(const KillOptions& options, Terminal& terminal);

}  // namespace qlaunch
