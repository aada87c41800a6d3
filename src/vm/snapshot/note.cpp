// SPDX-License-Identifier: MIT
#include "vm/snapshot/note.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/move_paths.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view suffix = ".json";
constexpr std::array<const char*, 3> guest_words{"running", "paused", "off"};

std::string data_folder(const std::string& name) {
  return vm_paths(state_roots(), name).data;
}

std::string folder_of(const std::string& name) {
  return data_folder(name) + "/snapshots";
}

GuestThen guest_from(const std::string& word) {
  const auto found = std::find(guest_words.begin(), guest_words.end(), word);
  if (found == guest_words.end()) throw Error("it names no state of a guest");
  return static_cast<GuestThen>(found - guest_words.begin());
}

}  // namespace

const SnapshotMember* SnapshotNote::member(std::string_view wanted) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& each) { return each.name == wanted; });
  return found == members.end() ? nullptr : &*found;
}

std::string note_to_json(const SnapshotNote& note, const VmPaths& paths) {
  auto members = Json::array();
  for (const auto& member : note.members)
    members.push_back({{"name", member.name},
                       {"node", member.node},
                       {"path", member.path},
                       {"date", member.date},
                       {"date_nanoseconds", member.date_nanoseconds}});
  Json json = {
      {"tag", note.tag},
      {"text", note.text},
      {"created", note.created},
      {"parent", note.parent},
      {"kind", note.kind == SnapshotKind::live ? "live" : "disks"},
      {"guest", guest_words.at(static_cast<std::size_t>(note.guest))},
      {"agent", note.agent},
      {"frozen", note.frozen},
      {"tpm", note.tpm},
      {"vm_state_size", note.vm_state_size},
      {"disk_size", note.disk_size},
      {"members", members},
      {"machine", note.machine_type},
      {"cpus", note.cpus},
      {"memory", note.memory},
      {"folders", {{"data", paths.data}, {"state", paths.state}, {"runtime", paths.runtime}}},
      {"plan", note.plan},
      {"detached", note.detached}};
  if (note.provision) json["provision"] = *note.provision;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

SnapshotNote note_from_json(const std::string& text, const std::string& name,
                            const VmPaths& paths) {
  try {
    const auto json = Json::parse(text);
    SnapshotNote note;
    note.tag = json.at("tag");
    note.text = json.at("text");
    note.created = json.at("created");
    note.parent = json.at("parent");
    note.kind = json.at("kind") == "live" ? SnapshotKind::live : SnapshotKind::disks;
    note.guest = guest_from(json.at("guest"));
    note.agent = json.value("agent", false);
    note.frozen = json.at("frozen");
    note.tpm = json.at("tpm");
    note.vm_state_size = json.at("vm_state_size");
    note.disk_size = json.at("disk_size");
    note.machine_type = json.at("machine");
    note.cpus = json.at("cpus");
    note.memory = json.at("memory");
    note.plan = json.at("plan");
    note.detached = json.value("detached", "");
    if (json.contains("provision")) note.provision = json.at("provision").get<std::string>();
    const auto& folders = json.at("folders");
    VmPaths then = paths;
    then.data = folders.at("data");
    then.state = folders.at("state");
    then.runtime = folders.at("runtime");
    const bool moved =
        then.data != paths.data || then.state != paths.state || then.runtime != paths.runtime;
    for (const auto& member : json.at("members")) {
      const std::string path = member.at("path");
      note.members.push_back({member.at("name"), member.at("node"),
                              moved ? moved_text(path, then, paths) : path, member.at("date"),
                              member.at("date_nanoseconds")});
    }
    if (moved) note.plan = moved_plan(note.plan, name, then, paths);
    return note;
  } catch (const Json::exception& error) {
    throw Error(std::string("it is damaged: ") + error.what());
  }
}

std::vector<SnapshotNote> read_notes(const std::string& name, std::vector<std::string>& damaged) {
  std::vector<SnapshotNote> notes;
  const auto paths = vm_paths(state_roots(), name);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(name), ignored)) {
    const auto path = entry.path().string();
    if (!path.ends_with(suffix) || !entry.is_regular_file(ignored)) continue;
    try {
      auto note = note_from_json(read_file(path), name, paths);
      // Where it lies says what it is about.
      if (entry.path().filename().string() != note.tag + std::string(suffix)) throw Error("moved");
      notes.push_back(std::move(note));
    } catch (const Error&) {
      damaged.push_back(path);
    }
  }
  return notes;
}

void write_note(const std::string& name, const SnapshotNote& note) {
  make_private_folder(folder_of(name));
  write_file_atomic(folder_of(name) + '/' + note.tag + std::string(suffix),
                    note_to_json(note, vm_paths(state_roots(), name)));
}

void remove_note(const std::string& name, const std::string& tag) {
  remove_tree(folder_of(name) + '/' + tag + std::string(suffix));
}

std::string current_tag(const std::string& name) {
  return try_read_file(data_folder(name) + "/snapshot-current").value_or("");
}

void set_current_tag(const std::string& name, const std::string& tag) {
  write_file_atomic(data_folder(name) + "/snapshot-current", tag, 0600, Durability::quick);
}

std::string tpm_copy_path(const std::string& name, const std::string& tag) {
  return folder_of(name) + '/' + tag + ".tpm";
}

std::string state_image_path(const std::string& name) {
  return data_folder(name) + "/state.qcow2";
}

}  // namespace qlaunch
