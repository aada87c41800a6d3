// SPDX-License-Identifier: MIT
// `qlaunch forward list/add/remove`: ports of a running VM. The work is in vm/forward.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct ForwardOptions {
  std::string action, vm;
  std::vector<std::string> specs;
  std::string network;
  bool json = false;
};

void add_forward(CLI::App& app, ForwardOptions& options);
int forward(const ForwardOptions& options, Terminal& terminal);

}  // namespace qlaunch
