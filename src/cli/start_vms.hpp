// SPDX-License-Identifier: MIT
// Several VMs started side by side and waited for, each with its own report on the screen.
// Launching itself is vm/launch.hpp.
#pragma once

#include "cli/terminal.hpp"
#include "core/units.hpp"
#include "vm/launch.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct StartHow {
  bool wait = true;                 // until the guest is ready
  std::optional<Duration> timeout;  // how long; else the profile's
  bool json = false;                // print what `status --json` prints, in the end
  bool report = true;               // tell how to reach each
  bool stays = false;               // the caller stays with them, also when interrupted

  /// Told as it happens, from the thread of that VM's start.
  std::function<void(const PullProgress&)> fetches = [](const auto&) {};
  std::function<void(const LiveRecord&, const std::string& what, Duration timeout)> waits =
      [](const auto&, const auto&, auto) {};
  std::function<void(const LiveRecord&)> ready = [](const auto&) {};
  std::function<void(const Error&)> failed = [](const auto&) {};
};

struct Started {
  int code = 0;  // of the worst; 128 + signal where the user wanted an end
  std::vector<std::optional<Launched>> vms;
};

/// Each request is made in the course of its own start: where it cannot be made, the others go on.
/// To be called with an InterruptGuard.
Started start_vms(const std::vector<std::function<LaunchRequest()>>& requests, const StartHow& how,
                  Terminal& terminal);

/// The request for a word of the command line: a profile, or a VM by its name.
LaunchRequest request_for(const std::string& word);

}  // namespace qlaunch
