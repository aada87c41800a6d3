// SPDX-License-Identifier: MIT
#include "vm/rename.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/backing.hpp"
#include "plan/plan_json.hpp"
#include "profile/syntax.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/journal.hpp"
#include "vm/launch_lock.hpp"
#include "vm/live.hpp"
#include "vm/move_paths.hpp"
#include "vm/record.hpp"
#include "vm/ssh_config.hpp"
#include "vm/state/suspended.hpp"
#include "vm/state/warm.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <fcntl.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

/// Takes back what was done, last first, unless it is told that all is well.
class Steps {
 public:
  Steps() = default;
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() {
    for (; !back_.empty(); back_.pop_back()) {
      try {
        back_.back()();
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
        // The failure that led here is the news.
      }
    }
  }
  void done(std::function<void()> back) { back_.push_back(std::move(back)); }
  void keep() { back_.clear(); }

 private:
  std::vector<std::function<void()>> back_;
};

/// Both must be there; some filesystems cannot.
bool swap_folders(const std::string& one, const std::string& other) {
  if (renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  throw system_error("cannot rename " + in_backticks(one), errno);
}

void move(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    throw system_error("cannot rename " + in_backticks(from) + " to " + in_backticks(to), errno);
}

struct Overlay {
  std::string path;
  Backing backing;
};

/// Every overlay in a folder.
std::vector<Overlay> overlays_in(const std::string& folder) {
  std::vector<Overlay> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    if (auto backing = backing_of(entry.path().string()))
      out.push_back({entry.path().string(), std::move(*backing)});
  }
  return out;
}

/// Overlays of other VMs on files of this one.
std::vector<Overlay> overlays_on(const std::string& folder, const std::string& name) {
  std::vector<Overlay> out;
  for (const auto& vm : known_vms()) {
    if (vm == name) continue;
    auto found = overlays_in(vm_paths(state_roots(), vm).data);
    std::erase_if(found,
                  [&](const Overlay& each) { return !lies_below(each.backing.file, folder); });
    if (!found.empty() && look(vm, false).live)
      throw StateError("VM " + in_backticks(vm) + " runs on a disk that is an overlay on one of " +
                       in_backticks(name))
          .help("`qlaunch shutdown " + shell_quote(vm) + "` stops it");
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

/// A path that the profile itself spells out would lead nowhere afterwards.
void check_profile_paths(const Record& record, const std::string& folder) {
  // A clone's own says so by paths that start from where it lies itself.
  if (lies_below(record.profile, folder)) return;
  std::optional<Profile> profile;
  try {
    profile = open_profile(record.profile, record.settings, record.folder).profile;
  } catch (const Error&) {
    return;
  }
  for (std::size_t index = 0; index < profile->disks.size(); ++index) {
    const auto& disk = profile->disks[index];
    for (const auto& [key, path] : {std::pair("file", disk.file), std::pair("base", disk.base),
                                    std::pair("image", disk.image)}) {
      if (!lies_below(path, folder)) continue;
      throw UsageError("the profile names a file in the folder of VM " + in_backticks(record.name) +
                       ", which gets another name")
          .help("move that file elsewhere, or leave this key out")
          .at(profile->where("disk[" + std::to_string(index) + "]." + key));
    }
  }
}

void check_new_name(const std::string& from, const std::string& to) {
  if (const auto problem = check_vm_name(to)) {
    UsageError error(in_backticks(to) + " cannot be the name of a VM: " + problem->message);
    for (const auto& help : problem->help) error.help(help);
    throw error;
  }
  if (from == to) throw UsageError("VM " + in_backticks(from) + " has this name already");
}

void check_nameable(const std::string& name) {
  refuse_suspended(name, "cannot get another name");
  if (!look(name, false).live) return;
  throw StateError("VM " + in_backticks(name) + " runs: its sockets bear its name")
      .help("`qlaunch shutdown " + shell_quote(name) + "` stops it");
}

[[noreturn]] void refuse_taken(const std::string& name, const std::string& why) {
  throw StateError("the name " + in_backticks(name) + " is taken: " + why);
}

class Renaming {
 public:
  Renaming(std::string from, std::string to)
      : from_(std::move(from)),
        to_(std::move(to)),
        old_(vm_paths(state_roots(), from_)),
        new_(vm_paths(state_roots(), to_)) {}

  void run() {
    require_record(from_);
    // In one order, whoever asks: two of them must not wait for each other.
    const bool first = from_ < to_;
    const LaunchLock one(first ? from_ : to_, first ? old_ : new_);
    const LaunchLock two(first ? to_ : from_, first ? new_ : old_);
    const bool fresh = (first ? two : one).fresh();
    Steps steps;
    if (fresh) steps.done([this] { remove_tree(new_.data); });
    if ((first ? one : two).fresh()) {
      remove_tree(old_.data);
      throw StateError("VM " + in_backticks(from_) + " was renamed or removed meanwhile");
    }
    const auto record = require_record(from_);
    check_nameable(from_);
    if (!fresh) refuse_taken(to_, "there is a VM " + in_backticks(to_));
    std::error_code ignored;
    if (fs::exists(new_.state, ignored))
      refuse_taken(to_, "logs of an earlier VM are in " + in_backticks(new_.state));
    check_profile_paths(record, old_.data);
    const auto others = overlays_on(old_.data, from_);
    clear_dead_run(from_, old_);

    // Whoever asks meanwhile which VM needs a base or an image would see neither name.
    const FrozenLock held;
    link_inside(steps);
    mark(steps);
    move_data(steps);
    if (fs::exists(old_.state, ignored)) {
      move(old_.state, new_.state);
      steps.done([this] { move(new_.state, old_.state); });
    }
    link_others(others, steps);
    auto renamed = record;
    renamed.name = to_;
    const auto moved = [&](std::string& path) {
      if (lies_below(path, old_.data)) path.replace(0, old_.data.size(), new_.data);
    };
    moved(renamed.profile);
    for (auto& source : renamed.sources) moved(source.path);
    renamed.plan = moved_plan(record.plan, to_, old_, new_);
    write_record(renamed);
    steps.keep();
    // Where it was there is only the lock now, which both names had.
    remove_tree(old_.data);
    if (to_ == record.identity) remove_tree(new_.data + std::string(renamed_mark));
    journal(to_, "RENAMED", nlohmann::json{{"from", from_}}.dump());
  }

 private:
  /// Overlays on files of the same folder name these without it: right before and after the move.
  void link_inside(Steps& steps) {
    for (const auto& overlay : overlays_in(old_.data)) {
      const auto& backing = overlay.backing;
      if (!lies_below(backing.file, old_.data)) continue;
      set_backing(overlay.path, {backing.file.substr(old_.data.size() + 1), backing.format});
      steps.done([overlay] { set_backing(overlay.path, overlay.backing); });
    }
  }

  void mark(Steps& steps) {
    const auto path = old_.data + std::string(renamed_mark);
    if (file_fact(path).kind != FileFact::Kind::missing) return;
    write_file_atomic(path, "");
    steps.done([path] { remove_tree(path); });
  }

  void move_data(Steps& steps) {
    if (swap_folders(old_.data, new_.data)) {
      steps.done([this] { swap_folders(new_.data, old_.data); });
      return;
    }
    remove_tree(new_.data);
    move(old_.data, new_.data);
    steps.done([this] { move(new_.data, old_.data); });
  }

  void link_others(const std::vector<Overlay>& overlays, Steps& steps) {
    for (const auto& overlay : overlays) {
      const auto& backing = overlay.backing;
      set_backing(overlay.path,
                  {new_.data + backing.file.substr(old_.data.size()), backing.format});
      steps.done([overlay] { set_backing(overlay.path, overlay.backing); });
    }
  }

  std::string from_, to_;
  VmPaths old_, new_;
};

}  // namespace

void rename_vm(const std::string& from, const std::string& to) {
  check_new_name(from, to);
  check_nameable(from);
  Renaming(from, to).run();
  // Their paths bear the old name; the next run makes another.
  drop_warm_states_of(from);
  refresh_ssh_config();
}

}  // namespace qlaunch
