// SPDX-License-Identifier: MIT
// `qlaunch events`: what has happened to a VM, from its journal. Writes no journal.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct EventsOptions {
  std::string vm;
  bool follow = false;
  bool json = false;
};

void add_events(CLI::App& app, EventsOptions& options);
int events(const EventsOptions& options, Terminal& terminal);

}  // namespace qlaunch
