// SPDX-License-Identifier: MIT
#include "vm/state/warm.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "profile/difference.hpp"
#include "vm/diff.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string states_folder() {
  return state_roots().data + "/.warm";
}

std::string warm_record_path(const std::string& root) {
  return root + "/warm.json";
}

Json record_json(const Record& record) {
  auto sources = Json::array();
  for (const auto& source : record.sources)
    sources.push_back({{"path", source.path}, {"content", source.content}});
  return {{"profile", record.profile},
          {"sources", sources},
          {"settings", record.settings},
          {"folder", record.folder}};
}

Record record_from(const Json& json) {
  Record record;
  record.profile = json.at("profile");
  for (const auto& source : json.at("sources"))
    record.sources.push_back({source.at("path"), source.at("content")});
  record.settings = json.at("settings").get<std::vector<std::string>>();
  record.folder = json.at("folder");
  return record;
}

/// Which keys of the profile; empty where that cannot be said, or it was none of them.
std::vector<std::string> changed_keys(const Record& before, const Record& now) {
  std::vector<std::string> keys;
  try {
    const auto changes = profile_changes(load_recorded(before), load_recorded(now));
    for (const auto& change : changes) keys.push_back('`' + change.key + '`');
  } catch (const std::exception&) {
    keys.clear();
  }
  return keys;
}

}  // namespace

std::string warm_root(const std::string& vm, const std::string& profile) {
  return states_folder() + '/' + vm + '-' + hexadecimal(stable_hash(profile), 16).substr(8);
}

std::optional<WarmState> read_warm(const std::string& root) {
  const auto text = try_read_file(warm_record_path(root), std::size_t{16} << 20);
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    WarmState state;
    const std::string folder = json.at("folder");
    if (!folder.empty()) state.folder = root + '/' + folder;
    state.time = json.at("time");
    state.bytes = json.at("bytes");
    state.agent = json.at("agent");
    for (const auto& part : json.at("key")) state.key.emplace_back(part.at(0), part.at(1));
    for (const auto& file : json.at("files"))
      state.files.push_back({state.folder + '/' + file.at("name").get<std::string>(),
                             file.at("size"), file.at("inode"), file.at("changed")});
    state.blocked = json.at("blocked");
    state.record = record_from(json.at("record"));
    return state;
  } catch (const Json::exception&) {
    // Of another version, or damaged: a new one takes its place.
    return std::nullopt;
  }
}

void write_warm(const std::string& root, const WarmState& state) {
  auto key = Json::array();
  for (const auto& [what, value] : state.key) key.push_back({what, value});
  auto files = Json::array();
  for (const auto& file : state.files)
    files.push_back({{"name", fs::path(file.path).filename().string()},
                     {"size", file.size},
                     {"inode", file.inode},
                     {"changed", file.changed}});
  const Json json = {{"folder", fs::path(state.folder).filename().string()},
                     {"time", state.time},
                     {"bytes", state.bytes},
                     {"agent", state.agent},
                     {"key", key},
                     {"files", files},
                     {"blocked", state.blocked},
                     {"record", record_json(state.record)}};
  write_file_atomic(warm_record_path(root),
                    json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n');
}

bool is_whole(const WarmState& state) {
  return std::all_of(state.files.begin(), state.files.end(),
                     [](const DiskStamp& file) { return stamp_disk(file.path) == file; });
}

std::vector<std::string> what_changed(const WarmState& state, const WarmKey& key,
                                      const Record& record) {
  auto parts = changed_parts(state.key, key);
  // What the profile says is behind the command lines, most often.
  const auto lines = std::find(parts.begin(), parts.end(), command_lines_part);
  if (lines == parts.end()) return parts;
  const auto keys = changed_keys(state.record, record);
  if (keys.empty()) return parts;
  parts.erase(lines);
  parts.insert(parts.begin(), keys.begin(), keys.end());
  return parts;
}

std::string warm_time(const Plan& plan) {
  for (const auto& argument : plan.qemu.arguments) {
    if (argument.words.size() != 2 || argument.words[0] != "-object") continue;
    const auto json = Json::parse(argument.words[1], nullptr, false);
    if (!json.is_object() || json.value("id", "") != "memory") continue;
    const auto folder = fs::path(json.value("mem-path", "")).parent_path();
    if (folder.parent_path().parent_path() != states_folder()) continue;
    // The state's own name is its time.
    const auto name = folder.filename().string();
    return name.substr(std::min(name.size(), std::string_view("state-").size()));
  }
  return {};
}

UniqueFd hold_warm(const WarmState& state) {
  UniqueFd fd(open((state.folder + "/use").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd && flock(fd.get(), LOCK_SH | LOCK_NB) != 0) fd.reset();
  return fd;
}

namespace {

/// Leaves alone what a start is just opening.
void remove_state(const fs::path& folder) {
  const UniqueFd fd(open((folder / "use").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return;
  remove_tree(folder.string());
}

void remove_states(const std::string& root, const std::string& but) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    if (entry.is_directory(ignored) && entry.path().string() != but) remove_state(entry.path());
  }
}

}  // namespace

void tidy_warm(const std::string& root) {
  const auto state = read_warm(root);
  remove_states(root, state ? state->folder : "");
}

void drop_warm(const std::string& root) {
  remove_tree(warm_record_path(root));
  remove_states(root, "");
}

std::vector<std::string> warm_roots_of(const std::string& vm) {
  constexpr std::size_t hash_size = 9;  // with its dash
  std::vector<std::string> roots;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(states_folder(), ignored)) {
    const auto name = entry.path().filename().string();
    if (name.size() == vm.size() + hash_size && name.starts_with(vm + '-'))
      roots.push_back(entry.path().string());
  }
  return roots;
}

void drop_warm_states_of(const std::string& vm) {
  for (const auto& root : warm_roots_of(vm)) {
    drop_warm(root);
    remove_tree(root);
  }
}

}  // namespace qlaunch
