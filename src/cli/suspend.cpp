// SPDX-License-Identifier: MIT
#include "cli/suspend.hpp"

#include "cli/each.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "vm/state/suspend.hpp"

namespace qlaunch {

void add_suspend(CLI::App& app, SuspendOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
}

int suspend(const SuspendOptions& options, Terminal& terminal) {
  const InterruptGuard guard;
  Progress progress(terminal);
  SuspendRequest request;
  request.step = [&](const std::string& text) { progress.step(text); };
  request.interrupted = InterruptGuard::interrupted;
  const int code = for_each_vm(options.vms, terminal, progress,
                               [&](const std::string& name) { return suspend_vm(name, request); });
  return InterruptGuard::interrupted() ? InterruptGuard::exit_code() : code;
}

}  // namespace qlaunch
