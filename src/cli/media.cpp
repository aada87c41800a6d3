// SPDX-License-Identifier: MIT
#include "cli/media.hpp"

#include "cli/options.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "vm/catalog.hpp"
#include "vm/media.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string json_of(const std::vector<MediaDrive>& drives) {
  Json out = Json::array();
  for (const auto& drive : drives) {
    const bool empty = drive.file.empty();
    out.push_back({{"drive", drive.name},
                   {"file", empty ? Json() : Json(drive.file)},
                   {"format", empty ? Json() : Json(drive.format)},
                   {"tray_open", drive.tray_open},
                   {"locked", drive.locked}});
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string state_of(const MediaDrive& drive) {
  if (drive.tray_open) return "open";
  return drive.locked ? "locked by the guest" : "closed";
}

int list(const MediaOptions& options, Terminal& terminal) {
  const auto drives = list_media(find_vm(options.vm));
  if (options.json) {
    terminal.print(json_of(drives));
    return 0;
  }
  if (drives.empty()) terminal.say("no drives for media\n");
  std::vector<std::vector<std::string>> rows;
  rows.reserve(drives.size());
  for (const auto& drive : drives)
    rows.push_back({printable(drive.name), state_of(drive),
                    drive.file.empty() ? "empty" : printable(drive.file)});
  terminal.print(table({{.heading = "DRIVE"}, {.heading = "TRAY"}, {.heading = "MEDIUM"}}, rows,
                       terminal.table_width()));
  return 0;
}

UsageError wrong_words(const MediaOptions& options, const std::string& what) {
  UsageError error(what);
  error.help(options.action == "insert" ? "usage: qlaunch media insert VM [DRIVE] FILE"
                                        : "usage: qlaunch media eject VM [DRIVE]");
  return error;
}

}  // namespace

void add_media(CLI::App& app, MediaOptions& options) {
  add_word(app, options.action, "ACTION", "list, insert or eject");
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_words(app, options.words, "DRIVE",
            "the disk's name in the profile, where there are several; for insert then the image",
            false);
  add_flag(app, options.force, "--force", "also out of a drive that the guest holds shut");
  add_json(app, options.json, "print what `list` shows as an array; the keys are below");
}

int media(const MediaOptions& options, Terminal& terminal) {
  const auto& words = options.words;
  const auto& action = options.action;
  if (action == "list") {
    if (!words.empty())
      throw UsageError("one word too many for `media list`: " + in_backticks(words.front()));
    return list(options, terminal);
  }
  if (action != "insert" && action != "eject") {
    UsageError error("`media` has no action " + in_backticks(action));
    if (const auto near = nearest(action, {"list", "insert", "eject"}))
      error.help("did you mean `qlaunch media " + *near + "`?");
    throw std::move(error).help("its actions are list, insert and eject");
  }
  const bool insert = action == "insert";
  const std::size_t most = insert ? 2 : 1;
  if (insert && words.empty()) throw wrong_words(options, "`media insert` needs a FILE");
  if (words.size() > most)
    throw wrong_words(
        options, "one word too many for `media " + action + "`: " + in_backticks(words.back()));
  MediaRequest request;
  request.force = options.force;
  if (words.size() == most) request.drive = words.front();
  const auto name = find_vm(options.vm);
  const auto drive =
      insert ? insert_medium(name, request, words.back()) : eject_medium(name, request);
  if (options.json) {
    terminal.print(json_of({drive}));
  } else {
    terminal.result(name + ": " +
                    (insert ? printable(drive.file) + " is in drive " + printable(drive.name)
                            : "drive " + printable(drive.name) + " is open and empty") +
                    '\n');
  }
  return 0;
}

}  // namespace qlaunch
