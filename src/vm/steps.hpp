// SPDX-License-Identifier: MIT
// The steps of a launch, of a run and of its end, by name, for tests that kill somebody at each of
// them. Does nothing where no such test asks for it.
#pragma once

#include <string_view>
#include <vector>

namespace qlaunch {

enum class Step {
  // The command that launches.
  launch_locked,    // nobody else starts this VM
  launch_cleared,   // nothing of an earlier run is left
  launch_prepared,  // disks and other files are there
  launch_forked,    // the process that becomes the keeper exists
  launch_reported,  // QEMU is on its way, and its record is written
  launch_obeyed,    // QEMU has taken its first command
  launch_done,      // its ports are known and remembered
  // The process that becomes the keeper.
  keeper_born,
  helper_started,
  helper_ready,
  qemu_started,
  run_recorded,
  run_reported,
  // The keeper.
  keeper_watching,
  keeper_connected,
  stop_asked,
  stop_pressed,
  stop_quit,
  qemu_ended,
  helpers_ended,
  end_recorded,
  runtime_removed,
  run_forgotten,
  // A keeper that takes over, and the command that starts it.
  takeover_locked,
  takeover_recorded,
  // A command (or a child of the keeper) that saves a state.
  suspend_marked,   // the keeper knows what to do should this process be killed
  suspend_stopped,  // the guest stands still
  state_begun,
  state_written,
  suspend_kept,   // from here on it is suspended
  suspend_ended,  // QEMU has ended
  // A start that goes on from such a state.
  wake_loaded,
  wake_marked,  // from here on only the disks tell whether the guest went on
  wake_running,
  wake_forgotten,
  // An ephemeral run that saves its ready state.
  warm_booting,
  warm_stopped,
  warm_frozen,
  warm_ended,
  warm_kept,
  // One that starts from it.
  warm_waiting,
  warm_loaded,
};

/// In the order above.
const std::vector<std::string_view>& step_names();

/// Stops this process (SIGSTOP) where $QLAUNCH_TEST_STOP_AT names this step.
void at_step(Step step);
/// The same for commands that change files, which have steps of their own: "remove-renamed".
void at_step(std::string_view name);

}  // namespace qlaunch
