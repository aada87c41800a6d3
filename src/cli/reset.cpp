// SPDX-License-Identifier: MIT
#include "cli/reset.hpp"

#include "cli/each.hpp"
#include "cli/options.hpp"
#include "vm/power.hpp"

namespace qlaunch {

void add_reset(CLI::App& app, ResetOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
}

int reset(const ResetOptions& options, Terminal& terminal) {
  Progress progress(terminal);
  return for_each_vm(options.vms, terminal, progress, reset_vm);
}

}  // namespace qlaunch
