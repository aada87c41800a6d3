// SPDX-License-Identifier: MIT
#include "cli/suspend.hpp"

#include "cli/each.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "vm/state/suspend.hpp"

namespace qlaunch {

void add_suspend(CLI::App& app, SuspendOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
  add_flag(app, options.detach_shares, "--detach-shares",
           "take mounted shares from the guest first; `up` gives them back");
}

int suspend(const SuspendOptions& options, Terminal& terminal) {
  const InterruptGuard guard;
  Progress progress(terminal);
  SuspendRequest request;
  request.step = [&](const std::string& text) { progress.step(text); };
  request.detach_shares = options.detach_shares;
  request.interrupted = InterruptGuard::interrupted;
  const int code = for_each_vm(options.vms, terminal, progress,
                               [&](const std::string& name) { return suspend_vm(name, request); });
  return InterruptGuard::interrupted() ? InterruptGuard::exit_code() : code;
}

}  // namespace qlaunch
