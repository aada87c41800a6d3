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

/// The body of the hidden `keeper` command, for a run whose live record exists. `report` is a pipe
/// to the launching `up` (or -1) that learns how QEMU ended if it does so before `up` is done.
int keep(const std::string& name, int report);

}  // namespace qlaunch
