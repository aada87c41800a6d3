// SPDX-License-Identifier: MIT
// A VM's name held by whoever starts, renames or removes it, and the way cleared of a run that is
// dead. Starts nothing.
#pragma once

#include "host/lock.hpp"
#include "plan/host_facts.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// Makes the VM's data folder where it is missing. Throws TimeoutError where another command keeps
/// the name for too long.
class LaunchLock {
 public:
  LaunchLock(const std::string& name, const VmPaths& paths);

  /// Whether nothing of the VM was there before.
  bool fresh() const { return fresh_; }

 private:
  std::optional<FileLock> lock_;
  bool fresh_ = false;
};

/// A name that is free to start: nothing of an earlier run may be in the way. Throws StateError
/// where it runs.
void clear_dead_run(const std::string& name, const VmPaths& paths);

}  // namespace qlaunch
