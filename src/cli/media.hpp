// SPDX-License-Identifier: MIT
// `qlaunch media list/insert/eject`: drives of a running VM. The work is in vm/media.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct MediaOptions {
  std::string action, vm;
  std::vector<std::string> words;
  bool force = false;
  bool json = false;
};

void add_media(CLI::App& app, MediaOptions& options);
int media(const MediaOptions& options, Terminal& terminal);

}  // namespace qlaunch
