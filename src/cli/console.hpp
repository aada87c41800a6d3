// SPDX-License-Identifier: MIT
// `qlaunch console`: the serial port on this terminal. The work is in vm/console.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct ConsoleOptions {
  std::string vm;
  bool start = false;  // a guest that waits for its console: see LaunchRequest::paused
};

void add_console(CLI::App& app, ConsoleOptions& options);
int console(const ConsoleOptions& options, Terminal& terminal);

}  // namespace qlaunch
