// SPDX-License-Identifier: MIT
// `qlaunch rename`: another name for a stopped VM. The moving is vm/rename.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct RenameOptions {
  std::string vm;
  std::string name;
};

void add_rename(CLI::App& app, RenameOptions& options);
int rename_command(const RenameOptions& options, Terminal& terminal);

}  // namespace qlaunch
