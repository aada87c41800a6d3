// SPDX-License-Identifier: MIT
// What a command is about to do to a VM's snapshots, written down first, so that a later command
// finishes or undoes what was cut off; and the lock that lets one command at a time do so.
#pragma once

#include "host/lock.hpp"
#include "host/process.hpp"
#include "vm/snapshot/note.hpp"

#include <optional>
#include <string>

namespace qlaunch {

struct SnapshotWork {
  enum class Kind {
    make,     // undone, unless all disks have it
    take_up,  // finished where it had begun and no guest has written since; else forgotten
    remove,   // finished
  };
  Kind kind = Kind::make;
  SnapshotNote note;  // as it will be, or was
  ProcessId process;  // whose work it is
  std::string time;   // when it was written down, UTC
  /// Where a QEMU does it: which one, and the job it does it in; empty: no job yet.
  std::optional<ProcessId> qemu;
  std::string job;
  bool freezes = false;  // the guest's file systems may be frozen
  bool holds = false;    // a guest that ran may stand still
};

/// `data/NAME/snapshot-work.json`.
std::optional<SnapshotWork> read_work(const std::string& name);
void write_work(const std::string& name, const SnapshotWork& work);
void remove_work(const std::string& name);

/// Of this process.
SnapshotWork new_work(SnapshotWork::Kind kind, SnapshotNote note);

/// Held by whoever reads and changes a VM's snapshots.
class SnapshotLock {
 public:
  /// Throws TimeoutError, with what the other command does, where that takes long.
  explicit SnapshotLock(const std::string& name);

 private:
  FileLock lock_;
};

}  // namespace qlaunch
