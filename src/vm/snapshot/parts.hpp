// SPDX-License-Identifier: MIT
// What making, taking up and deleting snapshots have in common. For snapshot*.cpp alone.
#pragma once

#include "vm/operation.hpp"
#include "vm/snapshot/live.hpp"
#include "vm/snapshot/snapshots.hpp"
#include "vm/snapshot/work.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// An operation, told to other commands and to the user.
class Undertaking {
 public:
  Undertaking(const std::string& name, std::string what, const SnapshotTelling& telling);
  void now(const std::string& what);
  Percent percent();
  OperationRecord& record() { return record_; }
  void say(const std::string& text) const { telling_.say(text); }
  bool interrupted() const { return telling_.interrupted(); }

 private:
  std::string what_;
  const SnapshotTelling& telling_;
  OperationRecord record_;
};

/// The plan of its last start. StateError where there is none.
Plan last_plan(const std::string& name);

/// All files that may hold snapshots, and what they hold.
std::vector<SnapshotFile> snapshot_files(const std::string& name, const Plan& plan,
                                         const std::vector<SnapshotNote>& notes);

/// The list as it is, nothing settled.
SnapshotList read_snapshots(const std::string& name, const Plan& plan);

/// What can be said of a snapshot before it is made.
SnapshotNote begin_note(const std::string& name, const Plan& plan, const std::string& tag,
                        const std::string& text);
SnapshotMember member_of(const PlannedDisk& disk);

void require_space(const std::string& path, std::uint64_t bytes);

// Of a VM that runs, its QEMU held.

/// Memory and disks, or the disks alone; noted, and current.
SnapshotNote save_running(LiveSnapshots& vm, SnapshotNote note, Undertaking& work);
/// From every file that has it, by whoever may touch that now.
void remove_running(LiveSnapshots& vm, const SnapshotNote& note);
/// Finishes or undoes what was cut off.
void settle_running(LiveSnapshots& vm);
/// Loads it in the QEMU that there is. `own`: that was started for it, and is ended where it fails.
void load_running(LiveSnapshots& vm, const SnapshotNote& note, Undertaking& work, bool own = false);

// Of a VM that does not run, its name held.

SnapshotNote keep_stopped(const std::string& name, const Plan& plan, SnapshotNote note,
                          Undertaking& work);
void take_up_stopped(const std::string& name, const SnapshotNote& note, Undertaking& work);
void remove_stopped(const SnapshotNote& note);
void settle_stopped(const std::string& name);
/// What a revert would lose: the tag it is kept as; empty where nothing would be lost.
std::string keep_before_revert(const std::string& name, const Plan& now, const SnapshotNote& to,
                               Undertaking& work);

/// Every file has it: dates and sizes are noted, the note written, the work done.
SnapshotNote finish_making(const std::string& name, const SnapshotWork& work);
bool all_have_it(const std::string& name, const SnapshotNote& note);
/// The disks have let go of it: so does the list.
void forget_snapshot(const std::string& name, const std::string& tag);

/// Starts QEMU with the plan of a snapshot, its name held; loads it where it is a live one.
LiveRecord start_from(const std::string& name, const SnapshotNote& note, Undertaking& work,
                      const LaunchProgress& progress, const std::function<bool()>& interrupted);

void copy_tpm(const std::string& name, const SnapshotNote& note, const std::string& folder);
/// Throws where it cannot be restored, before anything else is.
void require_tpm_copy(const std::string& name, const SnapshotNote& note);
void restore_tpm(const std::string& name, const SnapshotNote& note);

/// Throws where it is not one that can be taken up.
const SnapshotEntry& require_whole(const std::string& name, const SnapshotList& list,
                                   const std::string& tag);

}  // namespace qlaunch
