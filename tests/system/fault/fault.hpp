// SPDX-License-Identifier: MIT
// Processes of a home by what they are, stopped at a step and killed there, and what has to hold
// after every fault. Knows nothing of any one fault.
#pragma once

#include "support/run.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace fault {

enum class Who { launcher, keeper, qemu, helper, command };
const char* name_of(Who who);

/// A small guest that hears its power button, with no network; `more` stands behind, keys first.
std::string tiny(const std::string& more = {});
/// The same with a helper (a TPM).
std::string with_helper();
/// A guest that never hears its power button.
std::string deaf(const std::string& timeout);

/// Pids, in no order. The launcher is `up`, the keeper also one that is about to become it.
std::vector<int> pids(const test::Home& home, Who who);
/// The only one of them, once there is exactly one.
int pid(const test::Home& home, Who who);

/// Whoever stopped at a step (SIGSTOP), when it has; 0 where nobody does.
int stopped_at_step(const test::Home& home);
/// SIGKILL, and until it is gone.
void kill_for_sure(int pid);
/// Who that is: its command line.
std::string command_line(int pid);

/// Until the command ends; false after a minute.
bool ended(const qlaunch::Child& child);
int code_of(const qlaunch::Child& child);

struct Truth {
  std::string state;  // as `status` says
  double seconds = 0;
};
/// What `status` says of the VM, and how long it took to say so.
Truth ask(const test::Home& home, const std::string& vm);
/// A command tells within two seconds what the processes are like.
void expect_truth(const test::Home& home, const std::string& vm);
/// The VM can be started again (unless it runs), and ended; nothing is left then, and its disks are
/// whole.
void expect_recovery(const test::Home& home, const std::string& profile, const std::string& vm);

nlohmann::json status(const test::Home& home, const std::string& vm);
/// The journal's events of this name.
std::vector<nlohmann::json> events(const test::Home& home, const std::string& vm,
                                   const std::string& event);

}  // namespace fault
