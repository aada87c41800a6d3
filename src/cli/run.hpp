// SPDX-License-Identifier: MIT
// `qlaunch run`: a command in a VM of which nothing is left. The command itself is
// vm/guest_command.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct RunOptions {
  std::string profile;
  std::vector<std::string> words;
  std::vector<std::string> settings;
  std::optional<Duration> timeout;
  bool serial = false;
  bool cold = false;
};

void add_run(CLI::App& app, RunOptions& options);
int run(const RunOptions& options, Terminal& terminal);

}  // namespace qlaunch
