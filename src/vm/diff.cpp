// SPDX-License-Identifier: MIT
#include "vm/diff.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "profile/keys.hpp"
#include "vm/catalog.hpp"

#include <algorithm>
#include <filesystem>

namespace qlaunch {
namespace {

/// "disk.root.size" -> "root"
std::string element_of(const KeyChange& change) {
  const auto first = change.key.find('.') + 1;
  return change.key.substr(first, change.key.rfind('.') - first);
}

/// These words only say how a disk that is not there is made.
bool only_makes_disk(const KeyChange& change, const Profile& profile, const Plan& plan) {
  if (change.path != "disk.size" && change.path != "disk.image" && change.path != "disk.base")
    return false;
  const auto name = element_of(change);
  const auto disk = std::find_if(profile.disks.begin(), profile.disks.end(),
                                 [&](const Disk& each) { return each.name == name; });
  // What is never written is used where it is.
  if (disk == profile.disks.end() || disk->readonly) return false;
  return std::any_of(plan.disks.begin(), plan.disks.end(), [&](const PlannedDisk& each) {
    return each.name == name && file_fact(each.path).kind != FileFact::Kind::missing;
  });
}

Effect effect_of(const KeyChange& change, const Profile& profile, const Plan& plan) {
  if (change.path == "description") return Effect::now;
  if (change.path == "name") return Effect::none;
  const auto dot = change.path.rfind('.');
  const auto* section = find_section(dot == std::string::npos ? "" : change.path.substr(0, dot));
  const auto* key = section == nullptr ? nullptr : section->key(change.path.substr(dot + 1));
  if (key != nullptr && key->later) return Effect::none;
  return only_makes_disk(change, profile, plan) ? Effect::new_disk : Effect::next_start;
}

/// Whether any file has another text than at the last start.
bool text_changed(const Record& record) {
  return std::any_of(record.sources.begin(), record.sources.end(), [](const auto& source) {
    if (source.path.starts_with(builtin_prefix)) return false;
    const auto now = try_read_file(source.path, largest_profile);
    // A profile that is gone cannot be started from, but what runs is still what it said.
    return now && *now != source.content;
  });
}

}  // namespace

LoadedProfile load_recorded(const Record& record) {
  auto world = host_world();
  if (!record.folder.empty()) world.folder = record.folder;
  world.read = [&record](const std::string& path) {
    for (const auto& source : record.sources) {
      if (source.path == path) return source.content;
    }
    throw Error("not recorded");
  };
  // What a name in `extends` led to then, not what it would lead to now.
  world.find = [&record, find = world.find](const std::string& name, const std::string& from) {
    for (const auto& source : record.sources) {
      if (source.path == std::string(builtin_prefix) + name ||
          std::filesystem::path(source.path).filename() == name + ".toml")
        return std::optional(source.path);
    }
    return find(name, from);
  };
  return load_profile(record.profile, record.profile, record.settings, world);
}

std::vector<ProfileChange> profile_changes(const Record& record) {
  const auto after = open_profile(profile_of(record), record.settings, record.folder);
  if (has_errors(after.diagnostics)) throw ProfileError(after.diagnostics);
  const auto plan = recorded_plan(record);
  std::vector<ProfileChange> out;
  for (auto& change : profile_changes(load_recorded(record), after)) {
    const auto effect = effect_of(change, after.profile, plan);
    out.push_back({std::move(change), effect});
  }
  return out;
}

bool needs_restart(const std::vector<ProfileChange>& changes) {
  return std::any_of(changes.begin(), changes.end(),
                     [](const ProfileChange& each) { return each.effect == Effect::next_start; });
}

bool profile_changed(const Record& record) {
  if (!text_changed(record)) return false;
  try {
    return needs_restart(profile_changes(record));
  } catch (const Error&) {
    // With mistakes in it nobody can tell what it asks for; it is not what runs.
    return true;
  }
}

}  // namespace qlaunch
