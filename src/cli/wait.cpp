// SPDX-License-Identifier: MIT
#include "cli/wait.hpp"

#include "cli/facts.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "vm/boot_watch.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"
#include "vm/wait.hpp"

#include <memory>

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
  if (what.stopped) {
    progress.waiting(name + " to stop");
    return wait_for(name, what, timeout, InterruptGuard::interrupted) ? 0
                                                                      : InterruptGuard::exit_code();
  }
  const auto live = require_running(name);
  const auto watch = std::make_shared<BootWatch>(live);
  progress.waiting(describe(what, name), [watch] { return boot_words(watch->look()); });
  try {
    if (!wait_for(name, what, timeout, InterruptGuard::interrupted))
      return InterruptGuard::exit_code();
  } catch (TimeoutError& error) {
    const auto& when = what.ready ? live.plan.ready.when : what.when;
    for (const auto& advice : boot_advice(BootWatch(live).look(), when, shell_quote(name)))
      error.help(advice);
    throw;
  }
  progress.done();
  const bool reachable = what.ready || what.when.kind == ReadyWhen::Kind::ssh;
  if (reachable && terminal.shows_progress()) {
    const auto way = ssh_command(started_facts(require_running(name)));
    if (!way.empty()) terminal.say(in_backticks(way) + " logs in\n");
  }
  return 0;
}

}  // namespace qlaunch
