// SPDX-License-Identifier: MIT
// `qlaunch list`: a table of all VMs. Says little of each: that is `status`.
#pragma once

#include "cli/command.hpp"

namespace qlaunch {

struct ListOptions {
  bool names = false;
  bool json = false;
};

void add_list(CLI::App& app, ListOptions& options);
int list(const ListOptions& options, Terminal& terminal);

}  // namespace qlaunch
