// SPDX-License-Identifier: MIT
// A run as its records and the process table tell of it. Asks QEMU nothing, changes nothing.
#pragma once

#include "vm/live.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// A run, and who of it lives: each look costs a read of /proc.
struct FoundRun {
  std::optional<LiveRecord> live;
  bool qemu_alive = false;
  bool keeper_alive = false;
};

FoundRun find_run(const std::string& name);

}  // namespace qlaunch
