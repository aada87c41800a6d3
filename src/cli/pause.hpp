// SPDX-License-Identifier: MIT
// `qlaunch pause`: stops the guests of VMs in mid-step. How is in vm/power.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct PauseOptions {
  std::vector<std::string> vms;
};

void add_pause(CLI::App& app, PauseOptions& options);
int pause(const PauseOptions& options, Terminal& terminal);

}  // namespace qlaunch
