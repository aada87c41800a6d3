// SPDX-License-Identifier: MIT
// `qlaunch diff`: what a changed profile would change of its VM. Changes nothing.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct DiffOptions {
  std::string vm;
  bool json = false;
};

void add_diff(CLI::App& app, DiffOptions& options);
int diff(const DiffOptions& options, Terminal& terminal);

}  // namespace qlaunch
