// SPDX-License-Identifier: MIT
#include "cli/clone.hpp"

#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/clone.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string_view way_word(CloneWay way) {
  switch (way) {
    case CloneWay::linked:
      return "linked";
    case CloneWay::shared:
      return "shared";
    case CloneWay::copied:
      break;
  }
  return "copied";
}

std::string json_of(const std::string& vm, const std::string& name, const Cloned& cloned) {
  Json disks = Json::array();
  for (const auto& disk : cloned.disks)
    disks.push_back({{"disk", disk.name}, {"way", way_word(disk.way)}});
  return Json{{"vm", name},
              {"parent", vm},
              {"profile", cloned.profile},
              {"disks", disks},
              {"notes", cloned.notes}}
             .dump(2, ' ', false, Json::error_handler_t::replace) +
         '\n';
}

}  // namespace

void add_clone(CLI::App& app, CloneOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_word(app, options.name, "NEW", "what the clone is to be called");
  add_flag(app, options.copy, "--copy", "copy the disks whole: the two share no file");
  add_text(app, options.from, "--from", "TAG",
           "the disks as they are in this snapshot of VM, copied");
  add_json(app, options.json, "print what was made as an object; the keys are below");
}

int clone_command(const CloneOptions& options, Terminal& terminal) {
  const auto vm = find_vm(options.vm);
  const InterruptGuard guard;
  Progress progress(terminal);
  CloneRequest request;
  request.from = vm;
  request.to = options.name;
  request.copy = options.copy;
  request.tag = options.from;
  request.interrupted = InterruptGuard::interrupted;
  request.progress = [&](const std::string& disk, double percent) {
    progress.doing("copying disk " + disk + ", " + std::to_string(std::lround(percent)) + '%');
  };
  Cloned cloned;
  try {
    cloned = clone_vm(request);
  } catch (const Error&) {
    if (!InterruptGuard::interrupted()) throw;
    progress.done();
    terminal.say("interrupted: there is no " + options.name + '\n');
    return InterruptGuard::exit_code();
  }
  progress.done();
  if (options.json) {
    terminal.print(json_of(vm, options.name, cloned));
    return 0;
  }
  terminal.result(options.name + " is a clone of " + vm +
                  (options.from.empty() ? "" : " as it is in " + options.from) + ": `qlaunch up " +
                  shell_quote(options.name) + "` starts it\n");
  for (const auto& disk : cloned.disks) {
    if (!disk.why.empty())
      terminal.say("disk " + disk.name + " was copied: " + printable(disk.why) + '\n');
  }
  for (const auto& note : cloned.notes) terminal.say(printable(note) + '\n');
  return 0;
}

}  // namespace qlaunch
