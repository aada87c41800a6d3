// SPDX-License-Identifier: MIT
// The process beside a running VM: journals its events, stops the guest properly when the host
// asks, tidies up after it and says why it ended. No command needs it to be there.
#pragma once

#include <chrono>
#include <csignal>
#include <string>

namespace qlaunch {

/// A guest that is still booting does not hear the first press of its power button.
constexpr auto press_again = std::chrono::seconds(5);
/// How long QEMU may take to end once it was told to.
constexpr auto quit_patience = std::chrono::seconds(5);
/// Has the keeper press the power button once, over the connection that it holds. What follows is
/// the sender's matter.
constexpr int press_signal = SIGUSR1;

struct KeeperTask {
  std::string name;
  /// A pipe to whoever has started it (or -1): to the launching `up`, which learns how QEMU ended
  /// if it does so before `up` is done; to the command that replaces a keeper, which learns when
  /// the new one is in place.
  int report = -1;
  /// The lock of that command, to be let go then; -1 for the keeper that has started QEMU itself.
  int lock = -1;
};

/// The body of the hidden `keeper` command, for a run whose live record exists.
int keep(const KeeperTask& task);

}  // namespace qlaunch
