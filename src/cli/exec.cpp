// SPDX-License-Identifier: MIT
#include "cli/exec.hpp"

#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "vm/catalog.hpp"
#include "vm/guest_command.hpp"

namespace qlaunch {

void add_exec(CLI::App& app, ExecOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_words(app, options.words, "CMD", "the command and its words, behind `--`");
  add_texts(app, options.environment, "-e,--env", "NAME=VALUE",
            "a variable of the command's environment; may be given several times");
  add_text(app, options.folder, "-w,--workdir", "DIR", "the folder in the guest that it runs in");
  add_text(app, options.user, "-u,--user", "USER", "as whom it runs; default: root");
  add_timeout(app, options.timeout, "how long it may take; default: no limit");
}

int exec_command(const ExecOptions& options, Terminal& terminal) {
  const InterruptGuard guard;
  try {
    const auto live = require_running(find_vm(options.vm));
    GuestCommand command;
    command.words = options.words;
    command.environment = options.environment;
    command.folder = options.folder;
    command.user = options.user;
    command.interrupted = InterruptGuard::interrupted;
    if (options.timeout) command.deadline = std::chrono::steady_clock::now() + *options.timeout;
    return run_by_agent(live, command);
  } catch (...) {
    if (InterruptGuard::interrupted()) return InterruptGuard::exit_code();
    const auto error = as_error(std::current_exception());
    if (error.code() == ExitCode::usage) throw;
    terminal.complain(error);
    return static_cast<int>(ExitCode::own_failure);
  }
}

}  // namespace qlaunch
