// SPDX-License-Identifier: MIT
// `qlaunch snapshot`: makes, lists, takes up and deletes the snapshots of a VM.
// How that is done is vm/snapshots.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct SnapshotOptions {
  std::string action;
  std::string vm;
  std::vector<std::string> tags;
  std::string text;
  bool disk_only = false;
  bool discard = false;
  bool detach_shares = false;
  bool json = false;
};

void add_snapshot(CLI::App& app, SnapshotOptions& options);
int snapshot(const SnapshotOptions& options, Terminal& terminal);

}  // namespace qlaunch
