// SPDX-License-Identifier: MIT
// `qlaunch reboot`: has guests power off and starts them anew. How is in vm/power.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct RebootOptions {
  std::vector<std::string> vms;
  std::optional<Duration> timeout;
  bool force = false;
};

void add_reboot(CLI::App& app, RebootOptions& options);
int reboot(const RebootOptions& options, Terminal& terminal);

}  // namespace qlaunch
