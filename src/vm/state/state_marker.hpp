// SPDX-License-Identifier: MIT
// Who saves or loads the state of a VM at this moment, left for its keeper, which settles the
// matter should that process be killed: a guest that stands still for it must not be left so. Saves
// and loads nothing itself.
#pragma once

#include "vm/live.hpp"

#include <optional>
#include <string>

namespace qmp {
class SyncClient;
}

namespace qlaunch {

/// There while this lives, and after this process was killed.
class StateMarker {
 public:
  enum class Work { saving, loading };
  /// `running`: the guest ran before its state was to be saved.
  StateMarker(const VmPaths& paths, Work work, bool running = true);
  ~StateMarker();
  StateMarker(const StateMarker&) = delete;
  StateMarker& operator=(const StateMarker&) = delete;

 private:
  std::string path_;
};

/// Nothing where nobody is at it, or has been.
std::optional<ProcessId> who_marked(const VmPaths& paths);

/// After whoever left the mark has ended. A state that is whole stays, and its QEMU ends; else the
/// guest goes on. `client` is a connection to its QEMU.
void settle_state(const LiveRecord& live, qmp::SyncClient& client);

/// For a VM that does not run.
void remove_marker(const VmPaths& paths);

}  // namespace qlaunch
