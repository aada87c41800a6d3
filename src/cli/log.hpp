// SPDX-License-Identifier: MIT
// `qlaunch log`: prints a log of a VM, and goes on doing so. Writes no logs.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct LogOptions {
  std::string vm;
  std::string log = "serial";
  bool follow = false;
};

void add_log(CLI::App& app, LogOptions& options);
int log(const LogOptions& options, Terminal& terminal);

}  // namespace qlaunch
