// SPDX-License-Identifier: MIT
// One command run in a guest, with its output and its exit code: by the guest agent, or typed into
// a shell on the serial port. Starts and ends no VM.
#pragma once

#include "vm/live.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct GuestCommand {
  std::vector<std::string> words;  // the program first; no shell is in between
  /// None: however long it takes.
  std::optional<std::chrono::steady_clock::time_point> deadline;
  /// Looked at again and again; true gives up (Error "interrupted").
  std::function<bool()> interrupted = [] { return false; };
};

struct GuestOutput {
  int code = 0;          // its own, or 128 + the signal that ended it
  std::string out, err;  // over the serial port `out` has both
  bool truncated = false;
};

/// Throws where the VM ends before the command does, TimeoutError at the deadline, and Error where
/// the guest cannot start it. The agent must answer already (see wait.hpp).
GuestOutput run_by_agent(const LiveRecord& live, const GuestCommand& command);

/// Waits until a POSIX shell on the serial port answers; a login prompt does not.
GuestOutput run_on_serial(const LiveRecord& live, const GuestCommand& command);

}  // namespace qlaunch
