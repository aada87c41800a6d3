// SPDX-License-Identifier: MIT
// `qlaunch qmp`: a QMP command to a running VM, or many of them. Speaking QMP is libqmp's matter.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct QmpOptions {
  std::string vm;
  std::vector<std::string> words;
  std::optional<Duration> timeout;
};

void add_qmp(CLI::App& app, QmpOptions& options);
int qmp_command(const QmpOptions& options, Terminal& terminal);

}  // namespace qlaunch
