// SPDX-License-Identifier: MIT
// What a VM's profile says now against what it said at the VM's last start, and when that would
// take effect. Changes nothing.
#pragma once

#include "profile/difference.hpp"
#include "vm/record.hpp"

#include <string>
#include <vector>

namespace qlaunch {

enum class Effect {
  now,         // nothing that runs depends on it
  next_start,  // of QEMU
  new_disk,    // the disk is there already and stays as it is
  none         // of a word that only means something at the first start, or not yet
};

struct ProfileChange {
  KeyChange change;
  Effect effect = Effect::next_start;
};

/// With the `--set` of the last start on both sides. Throws UsageError where the profile is gone
/// and ProfileError where it is wrong.
std::vector<ProfileChange> profile_changes(const Record& record);

bool needs_restart(const std::vector<ProfileChange>& changes);

/// The profile read again from the texts of the VM's last start.
LoadedProfile load_recorded(const Record& record);

}  // namespace qlaunch
