// SPDX-License-Identifier: MIT
#include "cli/keeper.hpp"

#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "vm/keeper.hpp"
#include "vm/snapshot/steps.hpp"
#include "vm/steps.hpp"

#include <limits>

namespace qlaunch {
namespace {

int descriptor(const std::string& option, const std::string& text) {
  if (text.empty()) return -1;
  const auto number = parse_unsigned(text);
  if (!number || *number > static_cast<unsigned>(std::numeric_limits<int>::max()))
    throw UsageError(in_backticks(option) + " is a descriptor's number, not " + in_backticks(text));
  return static_cast<int>(*number);
}

}  // namespace

void add_keeper(CLI::App& app, KeeperOptions& options) {
  add_word(app, options.name, "NAME", "the VM", false);
  add_text(app, options.report, "--report", "FD", "descriptor that learns how it goes");
  add_text(app, options.lock, "--lock", "FD", "the lock under which it takes over");
  add_flag(app, options.steps, "--steps", "print the names of all steps, for tests");
  add_flag(app, options.snapshot_steps, "--snapshot-steps", "the same of snapshots");
}

int keeper(const KeeperOptions& options, Terminal& terminal) {
  if (options.steps) {
    for (const auto name : step_names()) terminal.print(std::string(name) + '\n');
    return 0;
  }
  if (options.snapshot_steps) {
    for (const auto name : snapshot_step_names()) terminal.print(std::string(name) + '\n');
    return 0;
  }
  if (options.name.empty())
    throw UsageError("the keeper of which VM?").help("`qlaunch keeper NAME`");
  KeeperTask task;
  task.name = options.name;
  task.report = descriptor("--report", options.report);
  task.lock = descriptor("--lock", options.lock);
  return keep(task);
}

}  // namespace qlaunch
