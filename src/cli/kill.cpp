// SPDX-License-Identifier: MIT
#include "cli/kill.hpp"

#include "cli/each.hpp"
#include "cli/options.hpp"
#include "vm/control.hpp"

namespace qlaunch {

void add_kill(CLI::App& app, KillOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
}

int kill(const KillOptions& options, Terminal& terminal) {
  Progress progress(terminal);
  return for_each_vm(options.vms, terminal, progress, kill_vm);
}

}  // namespace qlaunch
