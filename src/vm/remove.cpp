// SPDX-License-Identifier: MIT
#include "vm/remove.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/image_locks.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/bases.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/ephemeral.hpp"
#include "vm/launch_lock.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"
#include "vm/ssh_config.hpp"
#include "vm/state/warm.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>

#include <sys/stat.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

std::uint64_t blocks(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

/// What it takes of the disk, with all in it.
std::uint64_t taken(const fs::path& path) {
  auto sum = blocks(path);
  std::error_code ignored;
  if (!fs::is_directory(fs::symlink_status(path, ignored))) return sum;
  for (const auto& entry : fs::recursive_directory_iterator(path, ignored))
    sum += blocks(entry.path());
  return sum;
}

void check_removable(const std::string& name) {
  if (!look(name, false).live) return;
  throw StateError("VM " + in_backticks(name) + " runs")
      .help("`qlaunch shutdown " + shell_quote(name) + "` stops it, `qlaunch kill " +
            shell_quote(name) + "` ends it at once");
}

class Finding {
 public:
  explicit Finding(const std::string& name) : name_(name), paths_(vm_paths(state_roots(), name)) {
    removal_.vm = name;
  }

  Removal run() {
    if (const auto record = read_any_record()) {
      plan_ = recorded_plan(*record);
      if (!record->profile.starts_with(builtin_prefix) && !lies_below(record->profile, paths_.data))
        removal_.stays.push_back({"its profile", record->profile, 0});
    }
    own_files();
    for (const auto& disk : plan_.disks) {
      stays(disk.path, "disk " + in_backticks(disk.name) + ", a file that is not qlaunch's");
      below(disk.path);
    }
    for (const auto& root : warm_roots_of(name_))
      removal_.goes.push_back({"its ready state, for warm starts", root, taken(root)});
    const auto logs = taken(paths_.state);
    if (logs > 0) removal_.goes.push_back({"its logs", paths_.state, logs});
    return removal_;
  }

 private:
  /// One that cannot be read must not keep a VM from being removed.
  std::optional<Record> read_any_record() const {
    try {
      return read_record(name_);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::string what_is(const std::string& path) const {
    for (const auto& disk : plan_.disks) {
      if (disk.path == path) return "disk " + in_backticks(disk.name);
    }
    if (plan_.nvram && plan_.nvram->path == path) return "UEFI variables";
    const auto file = fs::path(path).filename();
    if (file == "tpm") return "the TPM's state";
    if (file == "ssh") return "its ssh keys";
    if (file == "suspended.state") return "its suspended state";
    if (file == "state.qcow2") return "the memory of its snapshots";
    if (file.extension() == ".toml") return "its own profile";
    const auto format = file_fact(path).format;
    return format == "qcow2" || file.extension() == ".raw" ? "a disk that its profile no longer has"
                                                           : std::string();
  }

  void own_files() {
    Removal::Part notes{"its record and notes", {}, 0};
    std::error_code ignored;
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(paths_.data, ignored))
      files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    for (const auto& path : files) {
      check_free(path);
      const auto size = taken(path);
      const auto what = what_is(path);
      if (what.empty()) {
        notes.size += size;
      } else {
        removal_.goes.push_back({what, path, size});
      }
    }
    removal_.goes.push_back(notes);
  }

  void check_free(const std::string& path) const {
    if (file_fact(path).kind != FileFact::Kind::file) return;
    auto others = needs_.of(path);
    std::erase_if(others, [&](const ImageNeed& need) { return need.vm == name_; });
    if (!others.empty()) {
      StateError error(in_backticks(path) + " is what a disk of " + describe_needs(others) +
                       " lies on");
      error.help("remove first what needs it: `qlaunch remove " + shell_quote(others.front().vm) +
                 '`');
      throw error;
    }
    if (image_use(path) == ImageUse::none) return;
    throw StateError(in_backticks(path) + " is in use by " + describe_holders(image_holders(path)));
  }

  void stays(const std::string& path, const std::string& what) {
    std::error_code ignored;
    if (lies_below(path, paths_.data) || lies_below(path, paths_.runtime) || is_frozen(path) ||
        !fs::exists(path, ignored) || !told_.insert(path).second)
      return;
    removal_.stays.push_back({what, path, taken(path)});
  }

  /// Of what its disks lie on nothing goes but a frozen base that was theirs alone.
  void below(const std::string& disk) {
    constexpr int deepest = 256;
    auto path = base_of(disk);
    for (int depth = 0; !path.empty() && depth < deepest; ++depth, path = base_of(path)) {
      if (!is_frozen(path)) {
        stays(path, "the image that its disk lies on");
        continue;
      }
      auto others = needs_.of(path);
      std::erase_if(others, [&](const ImageNeed& need) { return need.vm == name_; });
      if (!told_.insert(path).second) continue;
      if (others.empty()) {
        removal_.goes.push_back({"the base that was made when it was cloned", path, taken(path)});
      } else {
        removal_.stays.push_back(
            {"a base, needed by " + describe_needs(others), path, taken(path)});
      }
    }
  }

  std::string name_;
  VmPaths paths_;
  Plan plan_;
  Removal removal_;
  ImageNeeds needs_;
  std::set<std::string> told_;
};

}  // namespace

std::uint64_t Removal::size() const {
  std::uint64_t sum = 0;
  for (const auto& part : goes) sum += part.size;
  return sum;
}

Removal plan_removal(const std::string& name) {
  check_removable(name);
  return Finding(name).run();
}

std::uint64_t remove_vm(const std::string& name) {
  const auto paths = vm_paths(state_roots(), name);
  const LaunchLock lock(name, paths);
  if (lock.fresh()) {
    remove_tree(paths.data);
    throw StateError("VM " + in_backticks(name) + " was renamed or removed meanwhile");
  }
  check_removable(name);
  const auto removal = Finding(name).run();
  clear_dead_run(name, paths);
  at_step("remove-cleared");
  remove_tree(paths.state);
  at_step("remove-logs");
  const auto going = going_name(paths);
  if (std::rename(paths.data.c_str(), going.c_str()) != 0)
    throw system_error("cannot rename " + in_backticks(paths.data), errno);
  // From here on there is no such VM.
  at_step("remove-renamed");
  drop_warm_states_of(name);
  remove_tree(going);
  at_step("remove-data");
  // Behind the VM's own, as `clone` takes them: two commands must not wait for each other.
  std::error_code ignored;
  try {
    if (fs::exists(frozen_folder(), ignored)) remove_unneeded_bases(FrozenLock());
  } catch (const TimeoutError&) {  // NOLINT(bugprone-empty-catch)
    // The VM is gone, which was asked for: the next removal takes its bases.
  }
  refresh_ssh_config();
  return removal.size();
}

}  // namespace qlaunch
