// SPDX-License-Identifier: MIT
#include "cli/pause.hpp"

#include "cli/each.hpp"
#include "cli/options.hpp"
#include "vm/power.hpp"

namespace qlaunch {

void add_pause(CLI::App& app, PauseOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
}

int pause(const PauseOptions& options, Terminal& terminal) {
  Progress progress(terminal);
  return for_each_vm(options.vms, terminal, progress, pause_vm);
}

}  // namespace qlaunch
