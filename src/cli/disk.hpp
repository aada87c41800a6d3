// SPDX-License-Identifier: MIT
// `qlaunch disk create/info/resize/check`. The work is in vm/disk_change.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct DiskOptions {
  std::string action, disk, size;
  std::string base, format;
  bool repair = false;
  bool json = false;
};

void add_disk(CLI::App& app, DiskOptions& options);
int disk(const DiskOptions& options, Terminal& terminal);

}  // namespace qlaunch
