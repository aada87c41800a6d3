// SPDX-License-Identifier: MIT
#include "cli/reload.hpp"

#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/start_vms.hpp"
#include "core/quote.hpp"
#include "vm/catalog.hpp"
#include "vm/control.hpp"
#include "vm/ephemeral.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// The same start once more, with the profile as it is now.
LaunchRequest request_again(const Record& record) {
  LaunchRequest request;
  request.profile = profile_of(record);
  request.settings = record.settings;
  request.folder = record.folder;
  request.name = record.name;
  return request;
}

}  // namespace

void add_reload(CLI::App& app, ReloadOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_timeout(app, options.timeout,
              "how long the guest may take to power off; default: `[shutdown] timeout`");
  add_flag(app, options.force, "--force", "after that time end it without its guest's consent");
  add_flag(app, options.no_wait, "--no-wait", "return when the VM runs, ready or not");
}

int reload(const ReloadOptions& options, Terminal& terminal) {
  const auto record = require_record(find_vm(options.vm));
  const auto& name = record.name;
  if (is_ephemeral(name))
    throw StateError("nothing is left of VM " + in_backticks(name) +
                     " when it ends: it cannot be started anew")
        .help("`qlaunch up` starts another one");
  auto request = request_again(record);
  // All that can be known to be wrong is told before anything is stopped.
  try {
    const InterruptGuard guard;
    Progress progress(terminal);
    LaunchProgress told;
    told.step = [&](const std::string& text) { progress.step(text); };
    told.download = [&](const PullProgress& how_far) { progress.download(how_far); };
    check_launch(request, told, InterruptGuard::interrupted);
  } catch (const Error&) {
    if (!InterruptGuard::interrupted()) throw;
    return InterruptGuard::exit_code();
  }
  if (look(name, false).live) {
    Progress progress(terminal);
    ShutdownRequest shutdown;
    if (options.timeout) shutdown.timeout = std::max(*options.timeout, Duration(1));
    shutdown.force = options.force;
    shutdown.step = [&](const std::string& text) { progress.step(text); };
    shutdown_vm(name, shutdown);
  }
  const InterruptGuard guard;
  StartHow how;
  how.wait = !options.no_wait;
  return start_vms({[&] { return request; }}, how, terminal).code;
}

}  // namespace qlaunch
