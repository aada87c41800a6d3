// SPDX-License-Identifier: MIT
// `qlaunch exec`: a command in a running VM, by its guest agent. The command itself is
// vm/guest_command.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct ExecOptions {
  std::string vm;
  std::vector<std::string> words;
  std::vector<std::string> environment;
  std::string folder, user;
  std::optional<Duration> timeout;
};

void add_exec(CLI::App& app, ExecOptions& options);
int exec_command(const ExecOptions& options, Terminal& terminal);

}  // namespace qlaunch
