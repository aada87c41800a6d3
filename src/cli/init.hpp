// SPDX-License-Identifier: MIT
// `qlaunch init`: writes a profile to start from. Never writes over a file.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct InitOptions {
  std::string name;
  std::string from;
  bool print = false;
};

void add_init(CLI::App& app, InitOptions& options);
int init(const InitOptions& options, Terminal& terminal);

}  // namespace qlaunch
