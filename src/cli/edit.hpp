// SPDX-License-Identifier: MIT
// `qlaunch edit`: a profile in the user's editor, and what is wrong with it afterwards.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct EditOptions {
  std::string word;
};

void add_edit(CLI::App& app, EditOptions& options);
int edit(const EditOptions& options, Terminal& terminal);

}  // namespace qlaunch
