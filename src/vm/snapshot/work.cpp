// SPDX-License-Identifier: MIT
#include "vm/snapshot/work.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/journal.hpp"
#include "vm/operation.hpp"
#include "vm/process_json.hpp"

#include <chrono>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string path_of(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/snapshot-work.json";
}

constexpr auto work_patience = std::chrono::seconds(5);

}  // namespace

std::optional<SnapshotWork> read_work(const std::string& name) {
  const auto text = try_read_file(path_of(name), std::size_t{16} << 20);
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    SnapshotWork work;
    work.kind = static_cast<SnapshotWork::Kind>(json.at("kind").get<int>());
    work.note = note_from_json(json.at("note"), name, vm_paths(state_roots(), name));
    work.process = process_from_json(json.at("process"));
    if (json.contains("qemu")) work.qemu = process_from_json(json.at("qemu"));
    work.job = json.at("job");
    work.time = json.at("time");
    work.freezes = json.at("freezes");
    work.holds = json.at("holds");
    return work;
  } catch (const std::exception&) {
    // Cut off by a crash of the host. What the disks hold is shown as it is.
    remove_work(name);
    return std::nullopt;
  }
}

void write_work(const std::string& name, const SnapshotWork& work) {
  Json json = {{"kind", static_cast<int>(work.kind)},
               {"note", note_to_json(work.note, vm_paths(state_roots(), name))},
               {"process", process_to_json(work.process)},
               {"job", work.job},
               {"time", timestamp()},
               {"freezes", work.freezes},
               {"holds", work.holds}};
  if (work.qemu) json["qemu"] = process_to_json(*work.qemu);
  // To wait for the disk here is to wait for all that QEMU has written and not flushed: a save of
  // gigabytes. What a QEMU does outlives this process, and nothing of it a crash of the host.
  write_file_atomic(path_of(name), json.dump(-1, ' ', false, Json::error_handler_t::replace), 0600,
                    work.qemu ? Durability::quick : Durability::crash_safe);
}

void remove_work(const std::string& name) {
  remove_tree(path_of(name));
}

SnapshotWork new_work(SnapshotWork::Kind kind, SnapshotNote note) {
  SnapshotWork work;
  work.kind = kind;
  work.note = std::move(note);
  work.process = identify(getpid()).value_or(ProcessId{});
  return work;
}

SnapshotLock::SnapshotLock(const std::string& name)
    : lock_(vm_paths(state_roots(), name).data + "/snapshot.lock") {
  if (lock_.lock(std::chrono::steady_clock::now() + work_patience)) return;
  const auto operation = operation_under_way(name);
  const auto holder = lock_.holder();
  TimeoutError error("VM " + in_backticks(name) + " is busy" +
                     (operation ? ": " + operation_text(*operation) : "") +
                     (holder ? " (pid " + std::to_string(*holder) + ")" : ""));
  error.help("try again when that is done");
  throw error;
}

}  // namespace qlaunch
