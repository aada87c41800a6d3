// SPDX-License-Identifier: MIT
#include "cli/console.hpp"

#include "cli/options.hpp"
#include "vm/catalog.hpp"
#include "vm/console.hpp"
#include "vm/launch.hpp"
#include "vm/live.hpp"
#include "vm/raw_terminal.hpp"

namespace qlaunch {

void add_console(CLI::App& app, ConsoleOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
}

int console(const ConsoleOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  require_running(name);
  // Scripts that pipe through the console need no comments.
  const bool person = terminal.in_is_terminal() && terminal.shows_progress();
  if (person) terminal.say("serial port of " + name + "; Ctrl-] leaves it\n");
  bool started = !options.start;
  const auto start = [&] {
    if (!std::exchange(started, true)) start_paused(name);
  };
  ConsoleEnd end{};
  try {
    end = run_console(name, start);
  } catch (const Error&) {
    // It runs all the same: that is what it was launched for.
    start();
    throw;
  }
  if (person && end == ConsoleEnd::detached) terminal.say("\n" + name + " goes on running\n");
  if (person && end == ConsoleEnd::vm_ended) terminal.say("\n" + name + " has ended\n");
  if (end == ConsoleEnd::signal) return 128 + RawTerminal::signal();
  return 0;
}

}  // namespace qlaunch
