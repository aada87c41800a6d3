// SPDX-License-Identifier: MIT
#include "cli/remove.hpp"

#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "vm/catalog.hpp"
#include "vm/remove.hpp"

#include <iostream>

namespace qlaunch {
namespace {

std::string lines(const std::string& heading, const std::vector<Removal::Part>& parts) {
  if (parts.empty()) return {};
  std::string text = heading + '\n';
  for (const auto& part : parts) {
    text += "    " + printable(part.what);
    if (part.size > 0) text += ", " + format_size_rounded(part.size);
    text += '\n';
    if (!part.path.empty()) text += "        " + printable(part.path) + '\n';
  }
  return text;
}

std::string text_of(const Removal& removal) {
  return lines("of VM " + removal.vm + " this is removed:", removal.goes) +
         lines("and this stays:", removal.stays);
}

bool agreed(const std::vector<Removal>& removals, Terminal& terminal) {
  std::vector<std::string> names;
  for (const auto& removal : removals) {
    terminal.say(text_of(removal));
    names.push_back(removal.vm);
  }
  terminal.print_error("remove " + enumerate(names) + "? [y/N] ");
  std::string answer;
  return std::getline(std::cin, answer) && !answer.empty() &&
         (answer[0] == 'y' || answer[0] == 'Y');
}

}  // namespace

void add_remove(CLI::App& app, RemoveOptions& options) {
  add_words(app, options.vms, "VM", "names of VMs, or their profiles");
  add_flag(app, options.yes, "-y,--yes", "do not ask");
}

int remove_command(const RemoveOptions& options, Terminal& terminal) {
  std::vector<std::string> names;
  for (const auto& word : options.vms) names.push_back(find_vm(word));
  names = without_repeats(names);
  // The question is asked once, for all.
  std::vector<Removal> removals;
  if (!options.yes) {
    for (const auto& name : names) removals.push_back(plan_removal(name));
    if (!terminal.in_is_terminal())
      throw UsageError("`remove` asks before it removes, and there is no terminal to ask on")
          .help("`qlaunch remove --yes " + shell_quote(names) + "` does not ask");
    if (!agreed(removals, terminal)) {
      terminal.say("nothing was removed\n");
      return static_cast<int>(ExitCode::failed);
    }
  }
  int code = 0;
  for (const auto& name : names) {
    try {
      const auto freed = remove_vm(name);
      terminal.result(name + ": removed, " + format_size_rounded(freed) + " freed\n");
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

}  // namespace qlaunch
