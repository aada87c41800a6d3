// SPDX-License-Identifier: MIT
// A keeper's eye on whoever saves or loads the state of its VM, and a suspend that the keeper
// begins itself. What is to be done when such a process is killed is settled in state_marker.hpp.
#pragma once

#include "vm/keeper_monitor.hpp"

#include <sys/types.h>

namespace qlaunch {

class StateWatch {
 public:
  /// Both have to outlive this.
  StateWatch(const LiveRecord& live, KeeperMonitor& monitor) : live_(live), monitor_(monitor) {}

  /// Readable when that process has ended; -1 while there is none.
  int fd() const { return who_.get(); }
  /// Looks for one; settles the matter of one that has ended before.
  void look();
  /// In a process of its own: the keeper has to hear what happens meanwhile. False where there is
  /// none.
  bool suspend();
  /// To be called when fd() is readable. True where it was the keeper's own suspend.
  bool ended();

 private:
  const LiveRecord& live_;
  KeeperMonitor& monitor_;
  UniqueFd who_;
  bool own_ = false;
};

}  // namespace qlaunch
