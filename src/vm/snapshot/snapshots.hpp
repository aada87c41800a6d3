// SPDX-License-Identifier: MIT
// Snapshots of a VM, whatever it does at the moment: made, listed, taken up again, deleted, each
// whole or not at all. Prints nothing.
#pragma once

#include "vm/launch.hpp"
#include "vm/snapshot/tree.hpp"

#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

/// Told as it happens.
struct SnapshotTelling {
  /// What is going on, with a percentage where that is known; may come from another thread.
  std::function<void(const std::string& what)> doing = [](const auto&) {};
  /// What the user has to know before it happens, or although it went well.
  std::function<void(const std::string& text)> say = [](const auto&) {};
  std::function<bool()> interrupted = [] { return false; };
};

struct SnapshotRequest {
  std::string tag;   // empty: the time
  std::string text;  // what the user says of it
  bool disk_only = false;
  bool detach_shares = false;  // also those whose `on_snapshot` does not say so
};

/// Live and whole where the VM runs, its disks where it does not. Where it fails, nothing has
/// changed.
SnapshotNote create_snapshot(const std::string& name, const SnapshotRequest& request,
                             const SnapshotTelling& telling);

struct SnapshotList {
  std::vector<SnapshotEntry> entries;
  std::vector<std::string> damaged;  // notes that cannot be read
};

/// What a command that was cut off has left is finished or undone first, where that is possible
/// without waiting.
SnapshotList list_snapshots(const std::string& name);

struct RevertRequest {
  std::string tag;
  bool discard = false;  // does not keep what is lost
  bool detach_shares = false;
};

struct Reverted {
  SnapshotNote to;
  std::string kept;        // the tag of what was lost otherwise; empty: nothing is kept
  bool runs = false;       // the VM, now
  bool restarted = false;  // in a new QEMU
};

Reverted revert_snapshot(const std::string& name, const RevertRequest& request,
                         const SnapshotTelling& telling);

/// Returns what it was.
SnapshotEntry delete_snapshot(const std::string& name, const std::string& tag,
                              const SnapshotTelling& telling);

/// For `launch`: a VM that does not run, its name held. Finishes or undoes what was cut off;
/// StateError where another command is at it.
void settle_before_start(const std::string& name);

/// `up --from TAG`: a VM that does not run starts with the plan of that snapshot, and where it is a
/// live one goes on from it.
Launched launch_from_snapshot(const LaunchRequest& request, const LaunchProgress& progress,
                              const std::function<bool()>& interrupted);

}  // namespace qlaunch
