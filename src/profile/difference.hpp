// SPDX-License-Identifier: MIT
// What one profile says differently from another, key by key, defaults included. Does not know what
// a difference means for a VM that runs.
#pragma once

#include "profile/load.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct KeyChange {
  /// value: a key's; added, removed: a whole [[disk]], [[share]] …; order: of a list's elements.
  enum class Kind { value, added, removed, order };

  std::string key;   // "machine.memory", "disk.root.size": as `--set` speaks
  std::string path;  // the same without names, as the table of keys has it: "disk.size"
  Kind kind = Kind::value;
  std::string before, after;  // as TOML; empty where there is none and no default either
  bool before_is_default = false, after_is_default = false;
  /// In the new profile; of what is gone, in the old one. Empty for what no file says.
  Location where;
};

/// In the order of the reference. Both must be free of errors. Two spellings of one value ("1 GiB",
/// "1024 MiB", or the default written out) are no difference.
std::vector<KeyChange> profile_changes(const LoadedProfile& before, const LoadedProfile& after);

}  // namespace qlaunch
