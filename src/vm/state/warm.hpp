// SPDX-License-Identifier: MIT
// Saved ready states of profiles, on the disk: what each depends on, whether it is whole, and how
// it goes. Makes none and starts nothing (see warm_start.hpp).
//
// They lie below `data/.warm/NAME-HASH`, on the same filesystem as the disks that become part of
// them: `warm.json` names the folder of the one that counts.
#pragma once

#include "host/files.hpp"
#include "plan/warm.hpp"
#include "vm/record.hpp"
#include "vm/state/suspended.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct WarmState {
  std::string folder;       // absolute; empty: there is none, see `blocked`
  std::string time;         // UTC
  std::uint64_t bytes = 0;  // that it takes on the disk
  bool agent = false;       // one listened in the guest
  WarmKey key;
  std::vector<DiskStamp> files;  // everything that lies in the folder
  std::string blocked;           // why QEMU could not save it, in words
  Record record;                 // the profile as it was, to say what has changed in it
};

/// Where the states of this profile's VM are.
std::string warm_root(const std::string& vm, const std::string& profile);

/// Nothing where there is none, or it cannot be read.
std::optional<WarmState> read_warm(const std::string& root);
/// From here on it counts.
void write_warm(const std::string& root, const WarmState& state);

/// Files that are not as they were when the state was saved, or are gone.
bool is_whole(const WarmState& state);
/// In words, what is different now: "QEMU", "disk `root`", "machine.memory"; empty where the state
/// fits.
std::vector<std::string> what_changed(const WarmState& state, const WarmKey& key,
                                      const Record& record);

/// When the state was saved from which a run of this plan has started; empty: it has booted.
std::string warm_time(const Plan& plan);

/// Held by a start while it opens the files of a state. Empty where the state is just going.
UniqueFd hold_warm(const WarmState& state);

/// Removes what no start holds, but for the folder of the state that counts.
void tidy_warm(const std::string& root);
/// The one that counts, too.
void drop_warm(const std::string& root);
/// Of all profiles whose VM is called so.
std::vector<std::string> warm_roots_of(const std::string& vm);
void drop_warm_states_of(const std::string& vm);

}  // namespace qlaunch
