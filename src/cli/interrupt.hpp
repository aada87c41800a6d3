// SPDX-License-Identifier: MIT
// Ctrl-C and termination as a flag, for commands that have something to undo first.
// Does not end anything by itself.
#pragma once

#include <csignal>

namespace qlaunch {

/// While it lives, SIGINT, SIGTERM and SIGHUP only set a flag, however often they come; a call that
/// blocks returns with EINTR.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
  /// What the process ends with then: 130 for Ctrl-C, 128 + signal for the others.
  static int exit_code();

 private:
  struct sigaction old_[3];
};

/// Blocks every signal in the calling thread, so that they reach the main thread, which waits.
void leave_signals_to_main_thread();

}  // namespace qlaunch
