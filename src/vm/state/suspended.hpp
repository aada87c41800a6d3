// SPDX-License-Identifier: MIT
// A VM whose whole state lies on the disk while no QEMU runs: its record, and who has to keep away
// from its disks. Saves and loads no state itself (see suspend.hpp).
#pragma once

#include "host/process.hpp"
#include "plan/plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// A file as it was: another content has another stamp.
struct DiskStamp {
  std::string path;
  std::uint64_t size = 0, inode = 0;
  std::int64_t changed = 0;  // nanoseconds

  bool operator==(const DiskStamp&) const = default;
};
/// Zeros where it is missing. Follows symlinks.
DiskStamp stamp_disk(const std::string& path);

struct Suspended {
  std::string name;
  std::string time;              // UTC
  std::uint64_t bytes = 0;       // of the state file
  std::uint64_t memory = 0;      // of the guest
  Plan plan;                     // with the ports that its forwards had
  std::vector<DiskStamp> disks;  // what the guest writes, as it was when its state was saved
  bool agent = false;            // one listened in the guest
  ProcessId saved_by;            // the QEMU that saved it, and is about to end
  /// The QEMU that was told to go on with it: from then on only the stamps say whether it did.
  std::optional<ProcessId> resumed_by;
  /// Shares that the guest did not have when it was saved, as JSON text (see vm/share/detach.hpp).
  std::string detached;
};

/// `data/NAME/suspended.state`
std::string suspended_state_path(const VmPaths& paths);

/// Whether a state is kept of this VM: nobody may change its disks then. For whoever holds the
/// VM's launch lock, or only wants to show it.
bool is_suspended(const std::string& name);
/// Throws StateError where one is kept; `what` is what cannot be done: "cannot be renamed".
void refuse_suspended(const std::string& name, const std::string& what);

/// Nothing where there is none; throws where it cannot be read.
std::optional<Suspended> read_suspended(const std::string& name);
/// With it the state counts: to be written when everything else is on the disk.
void write_suspended(const Suspended& suspended);
/// Removes the record first, then the state.
void forget_suspended(const std::string& name);

/// What a suspend has left that was cut off before the state counted. For a VM that does not run.
void clear_unfinished_suspend(const VmPaths& paths);

/// Whether this QEMU has ended because its VM was suspended.
bool suspended_by(const std::string& name, const ProcessId& qemu);

/// Everything that a guest of this plan writes to, as it is now.
std::vector<DiskStamp> stamp_disks(const Plan& plan);
/// Disks that are not as they were, by their paths.
std::vector<std::string> changed_disks(const Suspended& suspended);

/// The suspended VM to whose state this file belongs; empty where there is none.
std::string suspended_owner(const std::string& path, const std::string& but_not);

}  // namespace qlaunch
