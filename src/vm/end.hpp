// SPDX-License-Identifier: MIT
// Why a run ended, from what its keeper saw. Pure: asks nobody and keeps nothing.
#pragma once

#include "vm/record.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// What a keeper has seen of a run when QEMU has gone.
struct SeenEnd {
  std::optional<int> status = {};  // of waitpid; nothing where QEMU was another process's child
  bool taken_over = false;         // by a keeper that had not started it
  std::string shutdown = {};       // the reason in QMP's SHUTDOWN event; empty: none was seen
  bool panicked = false;
  bool powered_down = false;  // the power button was pressed
  std::string asked = {};     // the signal that asked the keeper to stop the guest
  bool killed = false;        // by the keeper, as QEMU did not answer
  bool suspended = false;     // its state is on the disk
  std::string said = {};      // QEMU's last words on stderr
};

EndOfRun describe_end(const SeenEnd& seen, std::string time);

/// Of a run whose QEMU and keeper have both gone; `rebooted`: the host was started anew since.
EndOfRun unseen_end(bool rebooted, std::string time);

}  // namespace qlaunch
