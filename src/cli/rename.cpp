// SPDX-License-Identifier: MIT
#include "cli/rename.hpp"

#include "cli/options.hpp"
#include "vm/catalog.hpp"
#include "vm/rename.hpp"

namespace qlaunch {

void add_rename(CLI::App& app, RenameOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_word(app, options.name, "NEW", "what it is to be called");
}

int rename_command(const RenameOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  rename_vm(name, options.name);
  terminal.result(name + " is called " + options.name + " now\n");
  return 0;
}

}  // namespace qlaunch
