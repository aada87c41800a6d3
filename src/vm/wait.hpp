// SPDX-License-Identifier: MIT
// Waiting for facts about a VM: ready, stopped, a text on its serial port, an open port. No fixed
// sleep stands between the fact and the return.
#pragma once

#include "core/units.hpp"
#include "profile/profile.hpp"

#include <functional>
#include <string>

namespace qlaunch {

struct WaitFor {
  bool stopped = false;
  bool ready = false;  // what the profile's [ready] says
  ReadyWhen when;      // otherwise
};

/// "ready", "ssh", "agent", "stopped", "started", "provisioned", "serial:TEXT", "port:N". Throws
/// ValueError.
WaitFor parse_wait_for(const std::string& text);

/// In words: "ssh on 127.0.0.1:2223", "`hello` on the serial port".
std::string describe(const WaitFor& what, const std::string& name);

/// Throws TimeoutError (with what was seen instead), StateError where the VM does not run or ends
/// before. `interrupted` true ends the waiting with false; true is returned when it happened.
bool wait_for(
    const std::string& name, const WaitFor& what, Duration timeout,
    const std::function<bool()>& interrupted = [] { return false; });

}  // namespace qlaunch
