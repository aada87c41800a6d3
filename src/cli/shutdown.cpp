// SPDX-License-Identifier: MIT
#include "cli/shutdown.hpp"

#include "cli/each.hpp"
#include "cli/options.hpp"
#include "vm/control.hpp"

namespace qlaunch {

void add_shutdown(CLI::App& app, ShutdownOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
  add_timeout(app, options.timeout,
              "how long each guest may take; default: `[shutdown] timeout` of its profile");
  add_flag(app, options.force, "--force", "after that time end the VM without its guest's consent");
}

int shutdown(const ShutdownOptions& options, Terminal& terminal) {
  if (options.timeout && options.timeout->count() == 0 && !options.force)
    throw UsageError("a guest cannot power off within no time").help("`qlaunch kill VM` ends a VM");
  Progress progress(terminal);
  ShutdownRequest request;
  // Zero stands for the profile's own.
  if (options.timeout) request.timeout = std::max(*options.timeout, Duration(1));
  request.force = options.force;
  request.step = [&](const std::string& text) { progress.step(text); };
  return for_each_vm(options.vms, terminal, progress,
                     [&](const std::string& name) { return shutdown_vm(name, request); });
}

}  // namespace qlaunch
