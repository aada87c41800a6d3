// SPDX-License-Identifier: MIT
// `qlaunch remove`: says what goes and what stays, asks, and removes. The work is in vm/remove.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct RemoveOptions {
  std::vector<std::string> vms;
  bool yes = false;
};

void add_remove(CLI::App& app, RemoveOptions& options);
int remove_command(const RemoveOptions& options, Terminal& terminal);

}  // namespace qlaunch
