// SPDX-License-Identifier: MIT
#include "cli/wait.hpp"

#include "cli/facts.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"
#include "vm/wait.hpp"

namespace qlaunch {
namespace {

// Nobody waits longer, and deadlines computed from it do not overflow.
constexpr Duration for_ever = std::chrono::hours(24 * 365 * 10);

}  // namespace

void add_wait(CLI::App& app, WaitOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_text(app, options.what, "--for", "WHAT",
           "ready (the default), started, ssh, agent, provisioned, stopped, serial:TEXT or port:N");
  add_timeout(app, options.timeout,
              "give up after this time; default: `[ready] timeout` of the profile, and never for "
              "stopped");
}

int wait(const WaitOptions& options, Terminal& terminal) {
  const auto what = parse_wait_for(options.what);
  const auto name = find_vm(options.vm);
  Duration timeout = for_ever;
  if (options.timeout) {
    timeout = *options.timeout;
  } else if (!what.stopped) {
    timeout = require_running(name).plan.ready.timeout;
  }
  const InterruptGuard guard;
  Progress progress(terminal);
  progress.waiting(what.stopped ? name + " to stop" : describe(what, name));
  if (!wait_for(name, what, timeout, InterruptGuard::interrupted))
    return InterruptGuard::exit_code();
  progress.done();
  const bool reachable = what.ready || what.when.kind == ReadyWhen::Kind::ssh;
  if (!what.stopped && reachable && terminal.shows_progress()) {
    const auto way = ssh_command(started_facts(require_running(name)));
    if (!way.empty()) terminal.say(in_backticks(way) + " logs in\n");
  }
  return 0;
}

}  // namespace qlaunch
