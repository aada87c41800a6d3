// SPDX-License-Identifier: MIT
// Asks a guest to power off, by its agent or its power button. Waits for nothing and ends nothing.
#pragma once

#include "vm/live.hpp"

#include <chrono>

namespace qmp {
class SyncClient;
}

namespace qlaunch {

/// Whether something in the guest has opened the agent's port: asked of QEMU, not of the guest.
bool agent_listens(qmp::SyncClient& client);

enum class Asked {
  agent,     // and it did not refuse
  button,    // pressed; whether anybody has heard it shows later
  off_long,  // the guest has powered off already, and QEMU was told to stay
};

/// StateError where the guest is paused and can hear nothing; qmp::Error and TimeoutError where
/// QEMU does not answer by the deadline. `agent`: asks that first, where one listens.
Asked ask_to_power_off(const LiveRecord& live, bool agent,
                       std::chrono::steady_clock::time_point deadline);

}  // namespace qlaunch
