// SPDX-License-Identifier: MIT
#include "cli/diff.hpp"

#include "cli/changes.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"

namespace qlaunch {

void add_diff(CLI::App& app, DiffOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_json(app, options.json, "print an object; its keys are below");
}

int diff(const DiffOptions& options, Terminal& terminal) {
  const auto record = require_record(find_vm(options.vm));
  const bool runs = look(record.name, false).live.has_value();
  const auto changes = profile_changes(record);
  if (options.json) {
    terminal.print(changes_json(record, runs, changes));
    return 0;
  }
  terminal.print(changes_text(changes));
  if (changes.empty()) {
    terminal.say(record.name + ": the profile says what it said at the last start\n");
  } else if (runs && needs_restart(changes)) {
    terminal.say(record.name + " runs: `qlaunch reload " + shell_quote(record.name) +
                 "` starts it anew with this\n");
  }
  return 0;
}

}  // namespace qlaunch
