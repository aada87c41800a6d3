// SPDX-License-Identifier: MIT
#include "vm/disk/disk_target.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

DiskTarget target_of(const std::string& vm, const PlannedDisk& disk) {
  DiskTarget target;
  target.path = disk.path;
  target.format = disk.format == DiskFormat::qcow2 ? "qcow2" : "raw";
  target.vm = vm;
  target.disk = disk.name;
  target.node = disk.node;
  target.readonly = disk.readonly;
  return target;
}

std::vector<DiskTarget> disks_of(const std::string& vm) {
  const auto live = read_live(vm);
  const bool runs = live && alive(live->qemu);
  if (!runs) settle_if_stopped(vm);
  const auto plan = runs ? live->plan : recorded_plan(require_record(vm));
  std::vector<DiskTarget> all;
  for (const auto& disk : plan.disks) all.push_back(target_of(vm, disk));
  if (runs) {
    for (auto& target : all) target.path = written_now(target.path);
  }
  if (plan.nvram) {
    all.push_back(target_of(vm, *plan.nvram));
    all.back().disk = "nvram";
    all.back().nvram = true;
  }
  return all;
}

bool known(const std::string& vm) {
  const auto all = known_vms();
  return std::find(all.begin(), all.end(), vm) != all.end();
}

DiskTarget file_target(const std::string& word) {
  DiskTarget target;
  target.path = fs::absolute(word).lexically_normal().string();
  return target;
}

std::vector<std::string> names_of(const std::vector<DiskTarget>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const auto& each : all) names.push_back(each.disk);
  return names;
}

}  // namespace

std::vector<DiskTarget> find_disks(const std::string& word) {
  if (word.empty()) throw UsageError("a disk's name is empty");
  const bool slash = word.find('/') != std::string::npos;
  if (word.ends_with(".toml")) return disks_of(find_vm(word));
  const auto colon = word.find(':');
  if (slash || (colon == std::string::npos && !known(word))) {
    std::error_code ignored;
    // A VM's name that was mistyped is no file either.
    if (!slash && word.find('.') == std::string::npos && !fs::exists(word, ignored)) find_vm(word);
    return {file_target(word)};
  }
  if (colon == std::string::npos) return disks_of(word);
  const auto vm = find_vm(word.substr(0, colon));
  const auto disk = word.substr(colon + 1);
  auto all = disks_of(vm);
  const auto names = names_of(all);
  std::erase_if(all, [&](const DiskTarget& each) { return each.disk != disk; });
  if (!all.empty()) return {all.front()};
  StateError error("VM " + in_backticks(vm) + " has no disk " + in_backticks(disk));
  if (names.empty()) throw std::move(error).help("it has none at all");
  if (const auto near = nearest(disk, names))
    error.help("did you mean " + in_backticks(vm + ':' + *near) + "?");
  throw std::move(error).help((names.size() == 1 ? "its disk is " : "its disks are ") +
                              enumerate(names));
}

DiskTarget find_disk(const std::string& word) {
  auto all = find_disks(word);
  if (word.find(':') == std::string::npos)
    std::erase_if(all, [](const DiskTarget& each) { return each.nvram; });
  if (all.size() == 1) return all.front();
  if (all.empty()) throw StateError("VM " + in_backticks(word) + " has no disk");
  throw UsageError("VM " + in_backticks(all.front().vm) + " has several disks: name one of them")
      .help("they are " + enumerate(names_of(all)) + ", as in " + in_backticks(all.front().name()));
}

}  // namespace qlaunch
