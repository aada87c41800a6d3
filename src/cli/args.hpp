// SPDX-License-Identifier: MIT
// `qlaunch args`: what `up` would run, as a script, as JSON, or with reasons. Runs nothing.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct ArgsOptions {
  std::string profile;
  std::vector<std::string> settings;
  std::string name;
  bool json = false;
  bool explain = false;
};

void add_args(CLI::App& app, ArgsOptions& options);
int args(const ArgsOptions& options, Terminal& terminal);

}  // namespace qlaunch
