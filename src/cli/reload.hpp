// SPDX-License-Identifier: MIT
// `qlaunch reload`: a VM shut down and started with what its profile says now.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>

namespace qlaunch {

struct ReloadOptions {
  std::string vm;
  std::optional<Duration> timeout;
  bool force = false;
  bool no_wait = false;
};

void add_reload(CLI::App& app, ReloadOptions& options);
int reload(const ReloadOptions& options, Terminal& terminal);

}  // namespace qlaunch
