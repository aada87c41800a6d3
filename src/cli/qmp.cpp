// SPDX-License-Identifier: MIT
#include "cli/qmp.hpp"

#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "cli/qmp_caller.hpp"
#include "cli/qmp_prompt.hpp"
#include "core/text.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"

#include <iostream>

namespace qlaunch {
namespace {

constexpr Duration usual_timeout = std::chrono::seconds(30);

/// A command a line; all are tried, and the first failure is the exit code.
int run_batch(QmpCaller& caller, const Terminal& terminal) {
  int code = 0;
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = trim(line);
    if (text.empty() || text.starts_with('#')) continue;
    try {
      caller.call(caller.read(text), terminal);
    } catch (const OutputClosed&) {
      throw;
    } catch (...) {
      const auto error = as_error(std::current_exception());
      terminal.complain(error);
      if (code == 0) code = static_cast<int>(error.code());
    }
  }
  return code;
}

}  // namespace

void add_qmp(CLI::App& app, QmpOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_words(app, options.words, "COMMAND",
            "a QMP command, then its arguments as NAME=VALUE words or as one JSON object", false);
  add_timeout(app, options.timeout, "how long QEMU may take to answer; default: 30s");
}

int qmp_command(const QmpOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  require_running(name);
  QmpCaller caller(name, options.timeout.value_or(usual_timeout));
  if (!options.words.empty()) {
    caller.call(caller.read(options.words), terminal);
    return 0;
  }
  const bool person =
      terminal.in_is_terminal() && terminal.out_is_terminal() && terminal.shows_progress();
  return person ? run_qmp_prompt(caller, terminal) : run_batch(caller, terminal);
}

}  // namespace qlaunch
