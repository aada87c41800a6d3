// SPDX-License-Identifier: MIT
// `qlaunch check`: everything that is wrong with profiles. Starts nothing.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct CheckOptions {
  std::vector<std::string> profiles;
  std::vector<std::string> settings;
  bool json = false;
};

void add_check(CLI::App& app, CheckOptions& options);
int check(const CheckOptions& options, Terminal& terminal);

}  // namespace qlaunch
