// SPDX-License-Identifier: MIT
// `qlaunch view`: a viewer on the screen of a running VM. Shows no picture itself.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct ViewOptions {
  std::string vm;
  bool print = false;
  bool json = false;
};

void add_view(CLI::App& app, ViewOptions& options);
int view(const ViewOptions& options, Terminal& terminal);

}  // namespace qlaunch
