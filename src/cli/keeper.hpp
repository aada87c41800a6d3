// SPDX-License-Identifier: MIT
// `qlaunch keeper`: the process beside a running VM, started by `up`. See vm/keeper.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct KeeperOptions {
  std::string name;
  std::string report, lock;
  bool steps = false;
  bool snapshot_steps = false;
};

void add_keeper(CLI::App& app, KeeperOptions& options);
int keeper(const KeeperOptions& options, Terminal& terminal);

}  // namespace qlaunch
