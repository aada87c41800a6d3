// SPDX-License-Identifier: MIT
#include "vm/state/suspended.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/process_json.hpp"
#include "vm/state/state_marker.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr const char* record_file = "/suspended.json";

std::string record_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + record_file;
}

Json stamp_json(const DiskStamp& stamp) {
  return {{"path", stamp.path},
          {"size", stamp.size},
          {"inode", stamp.inode},
          {"changed", stamp.changed}};
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

DiskStamp stamp_disk(const std::string& path) {
  DiskStamp stamp{path};
  struct stat status {};
  // After a clone of the running VM the file that is written has another name until QEMU ends.
  if (stat(written_now(path).c_str(), &status) != 0) return stamp;
  stamp.size = static_cast<std::uint64_t>(status.st_size);
  stamp.inode = status.st_ino;
  stamp.changed = status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  return stamp;
}

std::string suspended_state_path(const VmPaths& paths) {
  return paths.data + "/suspended.state";
}

bool is_suspended(const std::string& name) {
  return exists(record_path(name));
}

void refuse_suspended(const std::string& name, const std::string& what) {
  if (!is_suspended(name)) return;
  const auto quoted = shell_quote(name);
  throw StateError("VM " + in_backticks(name) + " is suspended, and so " + what)
      .help("`qlaunch up " + quoted + "` lets it go on; shut it down then")
      .help("`qlaunch up --discard-state " + quoted +
            "` starts it anew, as after a power cut: what it had in memory is lost");
}

std::optional<Suspended> read_suspended(const std::string& name) {
  const auto path = record_path(name);
  if (!exists(path)) return std::nullopt;
  const auto text = read_file(path);
  try {
    const auto json = Json::parse(text);
    Suspended suspended;
    suspended.name = name;
    suspended.time = json.at("time");
    suspended.bytes = json.at("bytes");
    suspended.memory = json.at("memory");
    suspended.plan = plan_from_json(json.at("plan").get<std::string>());
    for (const auto& disk : json.at("disks"))
      suspended.disks.push_back(
          {disk.at("path"), disk.at("size"), disk.at("inode"), disk.at("changed")});
    suspended.agent = json.at("agent");
    suspended.detached = json.value("detached", "");
    suspended.saved_by = process_from_json(json.at("saved_by"));
    if (json.contains("resumed_by")) suspended.resumed_by = process_from_json(json["resumed_by"]);
    return suspended;
  } catch (const Json::exception& error) {
    throw Error("the record of the suspended state of VM " + in_backticks(name) +
                " is damaged: " + error.what())
        .help("`qlaunch up --discard-state " + shell_quote(name) + "` starts it without");
  }
}

void write_suspended(const Suspended& suspended) {
  auto disks = Json::array();
  for (const auto& disk : suspended.disks) disks.push_back(stamp_json(disk));
  Json json = {{"time", suspended.time},
               {"bytes", suspended.bytes},
               {"memory", suspended.memory},
               {"plan", plan_to_json(suspended.plan)},
               {"disks", disks},
               {"agent", suspended.agent},
               {"detached", suspended.detached},
               {"saved_by", process_to_json(suspended.saved_by)}};
  if (suspended.resumed_by) json["resumed_by"] = process_to_json(*suspended.resumed_by);
  write_file_atomic(suspended.plan.paths.data + record_file,
                    json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n');
}

void forget_suspended(const std::string& name) {
  const auto paths = vm_paths(state_roots(), name);
  remove_tree(paths.data + record_file);
  remove_tree(suspended_state_path(paths));
}

void clear_unfinished_suspend(const VmPaths& paths) {
  remove_marker(paths);
  if (!exists(paths.data + record_file)) remove_tree(suspended_state_path(paths));
}

bool suspended_by(const std::string& name, const ProcessId& qemu) {
  try {
    const auto suspended = read_suspended(name);
    return suspended && suspended->saved_by == qemu;
  } catch (const Error&) {
    return false;
  }
}

std::vector<DiskStamp> stamp_disks(const Plan& plan) {
  std::vector<DiskStamp> out;
  for (const auto& disk : plan.disks) {
    if (!disk.readonly) out.push_back(stamp_disk(disk.path));
  }
  if (plan.nvram) out.push_back(stamp_disk(plan.nvram->path));
  return out;
}

std::vector<std::string> changed_disks(const Suspended& suspended) {
  std::vector<std::string> out;
  for (const auto& disk : suspended.disks) {
    if (stamp_disk(disk.path) != disk) out.push_back(disk.path);
  }
  return out;
}

std::string suspended_owner(const std::string& path, const std::string& but_not) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(state_roots().data, ignored)) {
    auto name = entry.path().filename().string();
    if (name == but_not || !exists(entry.path().string() + record_file)) continue;
    try {
      const auto suspended = read_suspended(name);
      if (!suspended) continue;
      for (const auto& disk : suspended->disks) {
        if (disk.path == path || std::filesystem::equivalent(disk.path, path, ignored)) return name;
      }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Another VM's damage is not this one's matter.
    }
  }
  return {};
}

}  // namespace qlaunch
