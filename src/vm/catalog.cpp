// SPDX-License-Identifier: MIT
#include "vm/catalog.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "embedded.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "profile/read_file.hpp"
#include "vm/ephemeral.hpp"
#include "vm/record.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view profile_suffix = ".toml";

bool is_path(std::string_view word) {
  return word.find('/') != std::string_view::npos || word.ends_with(profile_suffix);
}

bool exists(const std::string& path) {
  return path.starts_with(builtin_prefix) || file_fact(path).kind != FileFact::Kind::missing;
}

std::string absolute(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

/// A profile's name to its file in the folders, or among the built-in ones.
std::optional<std::string> find_named(const std::string& name) {
  for (const auto& folder : profile_folders()) {
    const auto path = folder + '/' + name + std::string(profile_suffix);
    if (file_fact(path).kind == FileFact::Kind::file) return absolute(path);
  }
  if (name == "hello") return std::string(builtin_prefix) + name;
  return std::nullopt;
}

std::optional<std::string> find_base(const std::string& name, const std::string& from) {
  if (name == "builtin:hello") return name;
  if (!is_path(name)) return find_named(name);
  const auto path = absolute((fs::path(from) / name).string());
  if (file_fact(path).kind == FileFact::Kind::missing) return std::nullopt;
  return path;
}

std::string read_profile_text(const std::string& path) {
  if (path == "builtin:hello") return hello_profile_text;
  return read_profile_file(path);
}

void suggest_name(UsageError& error, const std::string& word) {
  auto names = known_profiles();
  for (auto& vm : known_vms()) names.push_back(std::move(vm));
  if (const auto near = nearest(word, names))
    error.help("did you mean " + in_backticks(*near) + "?");
}

}  // namespace

ProfileWorld host_world() {
  ProfileWorld world;
  world.read = read_profile_text;
  world.find = find_base;
  world.environment = [](const std::string& variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  world.home = home_folder();
  std::error_code ignored;
  world.folder = fs::current_path(ignored).string();
  return world;
}

std::string find_profile(const std::string& word) {
  if (word.starts_with(builtin_prefix) && word != "builtin:hello")
    throw UsageError("there is no built-in profile " + in_backticks(word))
        .help("the built-in profile is `hello`");
  if (word.starts_with(builtin_prefix)) return word;
  if (is_path(word)) {
    auto path = absolute(word);
    if (exists(path)) return path;
    UsageError error("profile " + in_backticks(word) + " does not exist");
    const auto folder = fs::path(path).parent_path();
    std::vector<std::string> beside;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == profile_suffix)
        beside.push_back(entry.path().filename().string());
    }
    if (const auto near = nearest(fs::path(path).filename().string(), beside))
      error.help("did you mean " + in_backticks((fs::path(word).parent_path() / *near).string()) +
                 "?");
    error.help("`qlaunch init NAME` writes a commented profile to start from");
    throw error;
  }
  // A known VM's own profile comes before a profile that happens to have its name.
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) != vms.end()) {
    const auto record = read_record(word);
    if (record && exists(record->profile)) return record->profile;
  }
  if (auto found = find_named(word)) return *found;
  if (const auto record = read_record(word)) return profile_of(*record);
  UsageError error("there is no profile " + in_backticks(word));
  suggest_name(error, word);
  auto folders = profile_folders();
  for (auto& folder : folders) folder = in_backticks(folder);
  error.help("looked for " + word + std::string(profile_suffix) + " in " + enumerate(folders));
  throw error;
}

std::string profile_of(const Record& record) {
  if (exists(record.profile)) return record.profile;
  UsageError error("the profile of VM " + in_backticks(record.name) + ", " +
                   in_backticks(record.profile) + ", is gone");
  error.help("`qlaunch up PROFILE --name " + shell_quote(record.name) +
             "` lets another profile take the VM over, with its disks");
  throw error;
}

LoadedProfile open_profile(const std::string& path, const std::vector<std::string>& settings,
                           const std::string& folder) {
  // Messages are shorter, and can be clicked in a terminal, with a path as the user sees it.
  std::error_code ignored;
  std::string shown = path;
  if (!path.starts_with(builtin_prefix)) {
    const auto relative = fs::relative(path, ignored).string();
    if (!relative.empty() && !relative.starts_with("../..") && relative.size() < path.size())
      shown = relative;
  }
  auto world = host_world();
  if (!folder.empty()) world.folder = folder;
  return load_profile(path, shown, settings, world);
}

std::vector<std::string> known_profiles() {
  std::vector<std::string> names{"hello"};
  for (const auto& folder : profile_folders()) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == profile_suffix) names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> known_vms() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(state_roots().data, ignored)) {
    // A folder that is being removed.
    if (entry.path().filename().string().starts_with('.')) continue;
    // A start that was killed may have left a run without a record.
    if (fs::exists(entry.path() / "vm.json", ignored) ||
        fs::exists(entry.path() / "run.json", ignored))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

/// Of the VMs that were ever renamed: a start must not read the records of all. Those that cannot
/// be read are left out; their damage is another command's matter.
template <class Look>
void for_each_renamed(const Look& look) {
  const auto data = state_roots().data + '/';
  for (const auto& vm : known_vms()) {
    std::error_code ignored;
    if (!fs::exists(data + vm + std::string(renamed_mark), ignored)) continue;
    try {
      if (const auto record = read_record(vm)) look(*record);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // See above.
    }
  }
}

}  // namespace

std::string vm_called(const std::string& name, const std::string& profile) {
  const auto own = read_record(name);
  if (own && own->profile == profile) return name;
  std::string renamed, orphan;
  for_each_renamed([&](const Record& record) {
    if (record.identity != name || record.name == name) return;
    if (record.profile == profile) renamed = record.name;
    if (!exists(record.profile)) orphan = record.name;
  });
  if (!renamed.empty()) return renamed;
  return own || orphan.empty() ? name : orphan;
}

std::string new_identity(const std::string& name) {
  std::vector<std::string> taken;
  for_each_renamed([&](const Record& record) {
    if (record.name != name) taken.push_back(record.identity);
  });
  auto identity = name;
  for (int number = 2; std::find(taken.begin(), taken.end(), identity) != taken.end(); ++number)
    identity = name + '#' + std::to_string(number);
  return identity;
}

std::string find_vm(const std::string& word) {
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) != vms.end()) return word;
  if (is_path(word)) {
    const auto path = absolute(word);
    std::string short_lived;
    for (const auto& name : vms) {
      const auto record = read_record(name);
      if (!record || record->profile != path) continue;
      if (!is_ephemeral(name)) return name;
      short_lived = name;
    }
    if (!short_lived.empty()) return short_lived;
    StateError error("no VM was started from " + in_backticks(word));
    error.help("`qlaunch up " + shell_quote(word) + "` starts one");
    throw error;
  }
  StateError error("there is no VM " + in_backticks(word));
  if (const auto near = nearest(word, vms)) {
    error.help("did you mean " + in_backticks(*near) + "?");
  } else if (find_named(word)) {
    error.help("a profile of this name exists: `qlaunch up " + shell_quote(word) + "` starts it");
  } else {
    error.help("`qlaunch list` shows the known VMs");
  }
  throw error;
}

}  // namespace qlaunch
