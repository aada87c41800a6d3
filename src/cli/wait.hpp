// SPDX-License-Identifier: MIT
// `qlaunch wait`: ends when something has happened. What can be waited for is in vm/wait.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>

namespace qlaunch {

struct WaitOptions {
  std::string vm;
  std::string what = "ready";
  std::optional<Duration> timeout;
};

void add_wait(CLI::App& app, WaitOptions& options);
int wait(const WaitOptions& options, Terminal& terminal);

}  // namespace qlaunch
