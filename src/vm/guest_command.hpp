// SPDX-License-Identifier: MIT
// One command run in a guest, with its streams and its exit code: by the guest agent, or typed into
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

  // By the agent alone.
  std::vector<std::string> environment = {};  // NAME=VALUE
  std::string folder = {};                    // where it runs; empty: where the agent does
  std::string user = {};                      // empty: as whom the agent runs, root
  int in = 0, out = 1, err = 2;               // descriptors; -1 for no input
  /// How long the agent may take for its first answer.
  Duration patience = std::chrono::seconds(10);
  /// Told once the guest runs it.
  std::function<void()> started = [] {};
};

struct GuestOutput {
  int code = 0;     // its own, or 128 + the signal that ended it
  std::string out;  // of both streams
};

/// Passes the streams on while the command runs, and returns its exit code, or 128 + the signal
/// that ended it (SIGPIPE where nobody reads its output any more). Whatever makes this throw, the
/// command is ended in the guest as far as that can be reached: where the VM ends, TimeoutError at
/// the deadline, Error where the guest cannot start it or does not allow it, or the agent is
/// silent.
int run_by_agent(const LiveRecord& live, const GuestCommand& command);

/// Waits until a POSIX shell on the serial port answers; a login prompt does not.
GuestOutput run_on_serial(const LiveRecord& live, const GuestCommand& command);

}  // namespace qlaunch
