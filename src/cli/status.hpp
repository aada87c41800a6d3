// SPDX-License-Identifier: MIT
// `qlaunch status`: all facts about one VM, or about each. Changes nothing.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct StatusOptions {
  std::string vm;
  std::string key;
  bool json = false;
};

void add_status(CLI::App& app, StatusOptions& options);
int status(const StatusOptions& options, Terminal& terminal);

}  // namespace qlaunch
