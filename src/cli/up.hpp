// SPDX-License-Identifier: MIT
// `qlaunch up`: from profiles to running VMs, waited for, with how to reach them on the screen.
// Launching itself is vm/launch.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct UpOptions {
  std::vector<std::string> profiles;
  std::vector<std::string> settings;
  std::string name;
  std::string cdrom;
  std::string from;
  bool discard = false;
  std::optional<Duration> timeout;
  bool adopt = false;
  bool ephemeral = false;
  bool discard_state = false;
  bool cold = false;
  bool no_wait = false;
  bool console = false;
  bool foreground = false;
  bool json = false;
};

void add_up(CLI::App& app, UpOptions& options);
int up(const UpOptions& options, Terminal& terminal);

}  // namespace qlaunch
