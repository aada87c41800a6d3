// SPDX-License-Identifier: MIT
#include "vm/disk/live_overlays.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "vm/live.hpp"
#include "vm/steps.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

// Nobody is to write a base by mistake.
constexpr mode_t base_mode = 0400;

std::string note(const std::string& folder) {
  return folder + "/overlays.json";
}

std::vector<LiveOverlay> parsed(const std::string& text, const std::string& path) {
  std::vector<LiveOverlay> overlays;
  try {
    for (const auto& each : Json::parse(text))
      overlays.push_back(
          {each.at("path"), each.at("current"), each.at("old").get<std::vector<std::string>>()});
  } catch (const Json::exception& error) {
    // Without it the newest of a disk's files is not known, and no guess is good enough.
    throw Error("the note of where disks are written is damaged: " + std::string(error.what()))
        .help("its file is " + path);
  }
  return overlays;
}

bool is_gone(const std::string& path) {
  return access(path.c_str(), F_OK) != 0 && errno == ENOENT;
}

}  // namespace

std::vector<LiveOverlay> read_live_overlays(const std::string& folder) {
  if (is_gone(note(folder))) return {};
  return parsed(read_file(note(folder)), note(folder));
}

void write_live_overlays(const std::string& folder, const std::vector<LiveOverlay>& overlays) {
  if (overlays.empty()) {
    remove_tree(note(folder));
    return;
  }
  Json json = Json::array();
  for (const auto& each : overlays)
    json.push_back({{"path", each.path}, {"current", each.current}, {"old", each.old}});
  write_file_atomic(note(folder), json.dump(1) + '\n');
}

std::string written_now(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  if (is_gone(note(folder))) return path;
  for (const auto& each : read_live_overlays(folder)) {
    if (each.path == path && !is_gone(each.current)) return each.current;
  }
  return path;
}

void settle_overlays(const std::string& folder) {
  const auto overlays = read_live_overlays(folder);
  if (overlays.empty()) return;
  for (const auto& each : overlays) {
    // What is missing has its name already. In one step: the path always leads to a whole disk.
    if (!is_gone(each.current)) {
      chmod(each.path.c_str(), base_mode);
      if (std::rename(each.current.c_str(), each.path.c_str()) != 0)
        throw system_error("cannot rename " + in_backticks(each.current), errno);
    }
    at_step("settle-renamed");
    // Each is a frozen base by another name.
    for (const auto& old : each.old) {
      chmod(old.c_str(), base_mode);
      unlink(old.c_str());
    }
  }
  at_step("settle-named");
  write_live_overlays(folder, {});
}

void settle_if_stopped(const std::string& name) {
  const auto folder = vm_paths(state_roots(), name).data;
  if (is_gone(note(folder))) return;
  FileLock lock(folder + "/lock");
  if (!lock.try_lock()) return;
  const auto live = read_live(name);
  if (live && (alive(live->qemu) || alive(live->keeper))) return;
  settle_overlays(folder);
}

}  // namespace qlaunch
