// SPDX-License-Identifier: MIT
// `qlaunch shutdown`: asks guests to power off. How is in vm/control.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct ShutdownOptions {
  std::vector<std::string> vms;
  std::optional<Duration> timeout;
  bool force = false;
};

void add_shutdown(CLI::App& app, ShutdownOptions& options);
int shutdown(const ShutdownOptions& options, Terminal& terminal);

}  // namespace qlaunch
