// SPDX-License-Identifier: MIT
#include "cli/snapshot.hpp"

#include "cli/facts.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "vm/catalog.hpp"
#include "vm/snapshot/snapshots.hpp"

#include <chrono>
#include <ctime>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

const char* word_of(SnapshotKind kind) {
  return kind == SnapshotKind::live ? "live" : "disks";
}

const char* word_of(GuestThen guest) {
  switch (guest) {
    case GuestThen::running:
      return "running";
    case GuestThen::paused:
      return "paused";
    case GuestThen::off:
      break;
  }
  return "off";
}

const char* word_of(SnapshotHealth health) {
  switch (health) {
    case SnapshotHealth::whole:
      return "whole";
    case SnapshotHealth::foreign:
      return "foreign";
    case SnapshotHealth::broken:
      return "broken";
    case SnapshotHealth::lost:
      break;
  }
  return "lost";
}

Json object_of(const SnapshotEntry& entry) {
  const auto& note = entry.note;
  Json disks = Json::array();
  for (const auto& member : note.members) {
    if (member.name != "state") disks.push_back(member.name);
  }
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"tag", note.tag},
          {"text", note.text},
          {"created", note.created},
          {"parent", or_null(note.parent)},
          {"current", entry.current},
          {"kind", word_of(note.kind)},
          {"guest", word_of(note.guest)},
          {"frozen", note.frozen},
          {"health", word_of(entry.health)},
          {"problem", or_null(entry.problem)},
          {"disks", disks},
          {"vm_state_size", note.vm_state_size},
          {"disk_size", note.disk_size},
          {"machine", or_null(note.machine_type)},
          {"cpus", note.cpus},
          {"memory", note.memory}};
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

/// Of a note that is not there, only what is certain.
SnapshotEntry entry_of(const SnapshotNote& note, bool current) {
  SnapshotEntry entry;
  entry.note = note;
  entry.current = current;
  return entry;
}

std::string age_of(const std::string& created) {
  std::tm parts{};
  if (strptime(created.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return {};
  return uptime_text(std::max(0.0, std::difftime(std::time(nullptr), timegm(&parts))));
}

std::string size_cell(std::uint64_t bytes) {
  return bytes == 0 ? std::string("-") : format_size_rounded(bytes);
}

std::string machine_of(const SnapshotNote& note) {
  if (note.machine_type.empty()) return {};
  return note.machine_type + ", " + format_size(note.memory);
}

std::string remark_of(const SnapshotEntry& entry) {
  std::string text = entry.problem;
  if (!text.empty() && entry.health != SnapshotHealth::foreign)
    text = std::string(word_of(entry.health)) + ": " + text;
  if (!entry.note.text.empty()) text += (text.empty() ? "" : "; ") + entry.note.text;
  return printable(text);
}

/// The lines of a tree, with a mark at where the VM is.
class Branches {
 public:
  std::string next(const SnapshotEntry& entry) {
    const auto depth = static_cast<std::size_t>(entry.depth);
    last_.resize(depth + 1);
    last_[depth] = entry.last;
    std::string text = entry.current ? "* " : "  ";
    for (std::size_t level = 1; level < depth; ++level) text += last_[level] ? "  " : "| ";
    if (depth > 0) text += entry.last ? "`-" : "|-";
    return text + printable(entry.note.tag);
  }

 private:
  std::vector<bool> last_;  // of each level: nothing comes below it there
};

int list(const SnapshotOptions& options, const std::string& name, Terminal& terminal) {
  const auto all = list_snapshots(name);
  for (const auto& path : all.damaged)
    terminal.complain(
        warning_at({}, "the note about a snapshot, " + in_backticks(path) + ", cannot be read"));
  if (options.json) {
    Json out = Json::array();
    for (const auto& entry : all.entries) out.push_back(object_of(entry));
    terminal.print(text_of(out));
    return 0;
  }
  if (all.entries.empty())
    terminal.say("no snapshots of " + name + ": make one with `qlaunch snapshot create " +
                 shell_quote(name) + "`\n");
  Branches branches;
  std::vector<std::vector<std::string>> rows;
  rows.reserve(all.entries.size());
  for (const auto& entry : all.entries)
    rows.push_back({branches.next(entry), word_of(entry.note.kind), age_of(entry.note.created),
                    size_cell(entry.note.vm_state_size), size_cell(entry.note.disk_size),
                    machine_of(entry.note), remark_of(entry)});
  terminal.print(table({{.heading = "  TAG"},
                        {.heading = "KIND", .dispensable = 2},
                        {.heading = "AGE", .right = true},
                        {.heading = "MEMORY", .right = true, .dispensable = 1},
                        {.heading = "DISKS", .right = true, .dispensable = 3},
                        {.heading = "MACHINE", .dispensable = 4},
                        {.heading = "TEXT"}},
                       rows, terminal.table_width()));
  return 0;
}

SnapshotTelling telling_of(Progress& progress, const Terminal& terminal) {
  SnapshotTelling telling;
  telling.doing = [&progress](const std::string& what) { progress.doing(what); };
  telling.say = [&progress, &terminal](const std::string& text) {
    progress.done();
    terminal.say(printable(text) + '\n');
  };
  telling.interrupted = InterruptGuard::interrupted;
  return telling;
}

std::string taken_text(const SnapshotNote& note) {
  std::string text = note.tag + " is saved";
  if (note.kind == SnapshotKind::live)
    return text + ": memory (" + format_size_rounded(note.vm_state_size) + ") and " +
           std::to_string(note.members.size() - 1) +
           (note.members.size() == 2 ? " disk" : " disks");
  text += std::string(": ") + std::to_string(note.members.size()) +
          (note.members.size() == 1 ? " disk" : " disks");
  if (note.frozen) return text + ", the guest's file systems at rest";
  return note.guest == GuestThen::off ? text : text + ", as a power cut would leave them";
}

std::string reverted_text(const Reverted& done) {
  std::string text = "back at " + done.to.tag;
  if (done.restarted) {
    text += done.to.kind == SnapshotKind::live ? ", in a new QEMU" : ", and boots";
  } else if (!done.runs) {
    text += "; it does not run";
  }
  if (!done.kept.empty()) text += "; what it was is kept as " + done.kept;
  return text;
}

int act(const SnapshotOptions& options, const std::string& name, const std::string& tag,
        Terminal& terminal) {
  Progress progress(terminal);
  const auto telling = telling_of(progress, terminal);
  std::string text;
  Json json;
  if (options.action == "create") {
    const auto note = create_snapshot(
        name, {tag, options.text, options.disk_only, options.detach_shares}, telling);
    text = taken_text(note);
    json = object_of(entry_of(note, true));
  } else if (options.action == "revert") {
    const auto done = revert_snapshot(name, {tag, options.discard, options.detach_shares}, telling);
    text = reverted_text(done);
    json = {{"tag", done.to.tag},
            {"kept", done.kept.empty() ? Json() : Json(done.kept)},
            {"runs", done.runs},
            {"restarted", done.restarted}};
  } else {
    const auto entry = delete_snapshot(name, tag, telling);
    text = tag + " is deleted";
    json = object_of(entry);
  }
  progress.done();
  if (options.json) {
    terminal.print(text_of(json));
  } else {
    terminal.result(name + ": " + printable(text) + '\n');
  }
  return 0;
}

void check_options(const SnapshotOptions& options) {
  const auto& action = options.action;
  static const std::vector<std::string> actions{"create", "list", "revert", "delete"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    UsageError error("`snapshot` has no action " + in_backticks(action));
    if (const auto near = nearest(action, actions))
      error.help("did you mean `qlaunch snapshot " + *near + "`?");
    throw std::move(error).help("its actions are create, list, revert and delete");
  }
  const auto usage = [&](const std::string& what) {
    return UsageError(what).help("usage: qlaunch snapshot " + action + " VM" +
                                 (action == "list" ? ""
                                  : action == "create"
                                      ? " [TAG] [-m TEXT] [--disk-only] [--detach-shares]"
                                  : action == "revert" ? " TAG [--discard] [--detach-shares]"
                                                       : " TAG"));
  };
  const auto only = [&](bool given, const char* option, const char* where) {
    if (given && action != where)
      throw usage(in_backticks(option) + " is for `snapshot " + where + "`");
  };
  only(!options.text.empty(), "-m", "create");
  only(options.disk_only, "--disk-only", "create");
  only(options.discard, "--discard", "revert");
  if (options.detach_shares && action != "create" && action != "revert")
    throw usage("`--detach-shares` is for `snapshot create` and `snapshot revert`");
  const std::size_t most = action == "list" ? 0 : 1;
  if (options.tags.size() > most)
    throw usage("one word too many for `snapshot " + action +
                "`: " + in_backticks(options.tags.back()));
  if (options.tags.empty() && (action == "revert" || action == "delete"))
    throw usage("`snapshot " + action + "` needs a TAG");
}

}  // namespace

void add_snapshot(CLI::App& app, SnapshotOptions& options) {
  add_word(app, options.action, "ACTION", "create, list, revert or delete");
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_words(app, options.tags, "TAG", "the snapshot; for create the time, where none is given",
            false);
  add_text(app, options.text, "-m,--message", "TEXT", "what `list` shows beside a new snapshot");
  add_flag(app, options.disk_only, "--disk-only",
           "create: of a running VM the disks alone, without its memory");
  add_flag(app, options.discard, "--discard", "revert: do not keep what is lost by it");
  add_flag(app, options.detach_shares, "--detach-shares",
           "create, revert: take mounted shares from the guest for that moment");
  add_json(app, options.json, "print what was done, or the list as an array; the keys are below");
}

int snapshot(const SnapshotOptions& options, Terminal& terminal) {
  check_options(options);
  const auto name = find_vm(options.vm);
  if (options.action == "list") return list(options, name, terminal);
  const auto tag = options.tags.empty() ? std::string() : options.tags.front();
  const InterruptGuard guard;
  try {
    return act(options, name, tag, terminal);
  } catch (const Error& error) {
    if (!InterruptGuard::interrupted()) throw;
    terminal.complain(error);
    return InterruptGuard::exit_code();
  }
}

}  // namespace qlaunch
