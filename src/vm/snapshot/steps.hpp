// SPDX-License-Identifier: MIT
// The steps of making, taking up and deleting a snapshot, by name, for tests that kill somebody at
// each of them (see steps.hpp). Does nothing where no such test asks for it.
#pragma once

#include <string_view>
#include <vector>

namespace qlaunch {

enum class SnapshotStep {
  // Of a VM that runs.
  save_begun,     // what is to be made is written down, QEMU knows nothing of it
  save_saved,     // QEMU has made it
  save_recorded,  // it is in the list, and what was to be made is still written down
  load_begun,
  load_loaded,  // QEMU has gone back
  load_recorded,
  // To one that takes another start.
  restart_begun,
  restart_ended,    // QEMU has ended
  restart_applied,  // the disks have gone back
  restart_started,  // QEMU waits for its memory
  // Of a VM that does not run.
  keep_begun,
  keep_first_disk,  // the first of them has it
  keep_all_disks,
  keep_recorded,
  apply_begun,
  apply_first_disk,
  apply_all_disks,
  // Either.
  delete_begun,
  delete_first_disk,  // only of a VM that does not run: QEMU deletes all at once
  delete_all_disks,
  delete_forgotten,  // it is not in the list any more
};

/// In the order above.
const std::vector<std::string_view>& snapshot_step_names();

/// Stops this process (SIGSTOP) where $QLAUNCH_TEST_STOP_AT names this step.
void at_step(SnapshotStep step);

}  // namespace qlaunch
