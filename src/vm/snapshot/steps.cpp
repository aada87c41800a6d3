// SPDX-License-Identifier: MIT
#include "vm/snapshot/steps.hpp"

#include "vm/steps.hpp"

namespace qlaunch {

const std::vector<std::string_view>& snapshot_step_names() {
  static const std::vector<std::string_view> names{
      "save-begun",      "save-saved",      "save-recorded",     "load-begun",
      "load-loaded",     "load-recorded",   "restart-begun",     "restart-ended",
      "restart-applied", "restart-started", "keep-begun",        "keep-first-disk",
      "keep-all-disks",  "keep-recorded",   "apply-begun",       "apply-first-disk",
      "apply-all-disks", "delete-begun",    "delete-first-disk", "delete-all-disks",
      "delete-forgotten"};
  return names;
}

void at_step(SnapshotStep step) {
  at_step(snapshot_step_names().at(static_cast<std::size_t>(step)));
}

}  // namespace qlaunch
