// SPDX-License-Identifier: MIT
#include "cli/reboot.hpp"

#include "cli/each.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "vm/power.hpp"

#include <algorithm>

namespace qlaunch {

void add_reboot(CLI::App& app, RebootOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
  add_timeout(app, options.timeout,
              "how long each guest may take to power off; default: `[shutdown] timeout` of its "
              "profile");
  add_flag(app, options.force, "--force", "after that time reset it without its consent");
}

int reboot(const RebootOptions& options, Terminal& terminal) {
  if (options.timeout && options.timeout->count() == 0 && !options.force)
    throw UsageError("a guest cannot power off within no time")
        .help("`qlaunch reset VM` restarts it without asking");
  const InterruptGuard guard;
  Progress progress(terminal);
  RebootRequest request;
  // Zero stands for the profile's own.
  if (options.timeout) request.timeout = std::max(*options.timeout, Duration(1));
  request.force = options.force;
  request.step = [&](const std::string& text) { progress.step(text); };
  request.interrupted = InterruptGuard::interrupted;
  const int code = for_each_vm(options.vms, terminal, progress,
                               [&](const std::string& name) { return reboot_vm(name, request); });
  return InterruptGuard::interrupted() ? InterruptGuard::exit_code() : code;
}

}  // namespace qlaunch
