// SPDX-License-Identifier: MIT
#include "vm/disk/live_overlays.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "host/process.hpp"
#include "image/new_image.hpp"
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

/// The process that a name ends with, behind `mark`.
std::optional<pid_t> maker_of(const std::string& name, std::string_view mark) {
  const auto at = name.rfind(mark);
  if (at == std::string::npos) return std::nullopt;
  const auto pid = parse_unsigned(std::string_view(name).substr(at + mark.size()));
  return pid ? std::optional(static_cast<pid_t>(*pid)) : std::nullopt;
}

/// Overlays of clones that were killed before anybody wrote to them. What lies on a disk keeps it
/// from being resized or repaired.
std::vector<std::string> cut_off(const std::string& folder) {
  constexpr std::string_view format = ".qcow2";
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    auto name = entry.path().filename().string();
    auto maker = maker_of(name, half_made_mark);
    if (!maker && name.ends_with(format))
      maker = maker_of(name.substr(0, name.size() - format.size()), live_overlay_mark);
    if (maker && !identify(*maker)) found.push_back(entry.path().string());
  }
  return found;
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
  if (is_gone(note(folder)) && cut_off(folder).empty()) return;
  FileLock lock(folder + "/lock");
  if (!lock.try_lock()) return;
  const auto live = read_live(name);
  if (live && (alive(live->qemu) || alive(live->keeper))) return;
  settle_overlays(folder);
  for (const auto& path : cut_off(folder)) unlink(path.c_str());
}

}  // namespace qlaunch
