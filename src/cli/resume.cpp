// SPDX-License-Identifier: MIT
#include "cli/resume.hpp"

#include "cli/each.hpp"
#include "cli/options.hpp"
#include "vm/power.hpp"

namespace qlaunch {

void add_resume(CLI::App& app, ResumeOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
}

int resume(const ResumeOptions& options, Terminal& terminal) {
  Progress progress(terminal);
  return for_each_vm(options.vms, terminal, progress, resume_vm);
}

}  // namespace qlaunch
