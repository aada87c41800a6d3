// SPDX-License-Identifier: MIT
// `qlaunch copy`: files and folders between this host and guests. The copying is the system's scp.
#pragma once

#include "cli/terminal.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace qlaunch {

struct CopyOptions {
  std::vector<std::string> words;  // sources, and the destination last
  bool preserve = false;
  std::optional<Duration> timeout;
};

void add_copy(CLI::App& app, CopyOptions& options);
int copy(const CopyOptions& options, Terminal& terminal);

}  // namespace qlaunch
