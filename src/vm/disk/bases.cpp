// SPDX-License-Identifier: MIT
#include "vm/disk/bases.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/paths.hpp"
#include "image/backing.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <variant>

#include <sys/stat.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

// Deeper is a loop.
constexpr int deepest_chain = 256;

}  // namespace

std::string base_of(const std::string& path) {
  const auto backing = backing_of(path);
  if (!backing) return {};
  // "json:{…}" and "nbd://…" are no files.
  const auto colon = backing->file.find(':');
  if (colon != std::string::npos && colon < backing->file.find('/')) return {};
  return (fs::path(path).parent_path() / backing->file).lexically_normal().string();
}

ImageNeeds::ImageNeeds() {
  for (const auto& name : known_vms()) add_vm(name);
}

ImageNeeds::File ImageNeeds::file_at(const std::string& path) {
  File file;
  file.path = fs::path(path).lexically_normal().string();
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    file.device = status.st_dev;
    file.inode = status.st_ino;
  }
  return file;
}

void ImageNeeds::add(const std::string& path, const ImageNeed& need) {
  if (path.empty()) return;
  auto file = file_at(path);
  file.need = need;
  const bool known = std::any_of(files_.begin(), files_.end(), [&](const File& each) {
    return each.path == file.path && each.need.vm == need.vm && each.need.overlay == need.overlay &&
           (each.need.disk == need.disk || need.disk.empty());
  });
  if (!known) files_.push_back(std::move(file));
}

void ImageNeeds::add_chain(const std::string& path, bool overlay, const ImageNeed& need) {
  auto below = need;
  below.overlay = path;
  auto at = path;
  for (int depth = 0; overlay && depth < deepest_chain; ++depth) {
    at = base_of(at);
    if (at.empty()) return;
    below.direct = depth == 0;
    add(at, below);
  }
}

void ImageNeeds::add_vm(const std::string& name) {
  const auto add_plan = [&](const Plan& plan) {
    const auto add_disk = [&](const PlannedDisk& disk) {
      const ImageNeed need{name, disk.name, {}, true};
      add(disk.path, need);
      // What is in a raw disk is the guest's word.
      add_chain(disk.path, disk.format == DiskFormat::qcow2, need);
    };
    for (const auto& disk : plan.disks) add_disk(disk);
    if (plan.nvram) add_disk(*plan.nvram);
    // Of a disk that is yet to be made, or was deleted and will be made again.
    for (const auto& each : plan.preparations) {
      const auto* disk = std::get_if<MakeDisk>(&each.what);
      if (disk == nullptr || disk->base.empty()) continue;
      const auto named =
          std::find_if(plan.disks.begin(), plan.disks.end(),
                       [&](const PlannedDisk& one) { return one.path == disk->path; });
      add(disk->base, {name, named == plan.disks.end() ? "" : named->name, disk->path, true});
    }
  };
  const auto add_of = [&](const std::function<void()>& read) {
    try {
      read();
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Damage of one record: the other one and the VM's files still speak.
    }
  };
  add_of([&] {
    if (const auto live = read_live(name)) add_plan(live->plan);
  });
  add_of([&] {
    if (const auto record = read_record(name)) add_plan(recorded_plan(*record));
  });
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(vm_paths(state_roots(), name).data, ignored)) {
    if (entry.is_regular_file(ignored) && entry.path().extension() != ".raw")
      add_chain(entry.path().string(), true, {name, {}, {}, true});
  }
}

std::vector<ImageNeed> ImageNeeds::of(const std::string& path) const {
  const auto wanted = file_at(path);
  std::vector<ImageNeed> found;
  for (const auto& file : files_) {
    const bool same = wanted.inode != 0 ? wanted.inode == file.inode && wanted.device == file.device
                                        : wanted.path == file.path;
    if (same) found.push_back(file.need);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& one, const auto& other) { return one.vm < other.vm; });
  return found;
}

std::string describe_needs(const std::vector<ImageNeed>& needs) {
  std::vector<std::string> words;
  for (const auto& need : needs) {
    auto word = "VM " + in_backticks(need.vm);
    if (!need.disk.empty()) word += " (disk " + in_backticks(need.disk) + ')';
    const auto same = [&](const std::string& other) {
      return other == word || other.starts_with("VM " + in_backticks(need.vm));
    };
    if (std::none_of(words.begin(), words.end(), same)) words.push_back(std::move(word));
  }
  return enumerate(words);
}

}  // namespace qlaunch
