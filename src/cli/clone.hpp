// SPDX-License-Identifier: MIT
// `qlaunch clone`: a VM from another. The work is in vm/clone.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct CloneOptions {
  std::string vm, name, from;
  bool copy = false;
  bool json = false;
};

void add_clone(CLI::App& app, CloneOptions& options);
int clone_command(const CloneOptions& options, Terminal& terminal);

}  // namespace qlaunch
