// SPDX-License-Identifier: MIT
// `qlaunch suspend`: VMs to the disk, to go on at their next start. How is in vm/suspend.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct SuspendOptions {
  std::vector<std::string> vms;
  bool detach_shares = false;
};

void add_suspend(CLI::App& app, SuspendOptions& options);
int suspend(const SuspendOptions& options, Terminal& terminal);

}  // namespace qlaunch
