// SPDX-License-Identifier: MIT
#include "vm/disk/disks_in_use.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/facts.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/image_locks.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/bases.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/live.hpp"
#include "vm/state/suspended.hpp"

#include <algorithm>
#include <string>
#include <variant>

namespace qlaunch {
namespace {

/// Whoever reads a disk does not let it be written either.
bool in_the_way(const std::string& path, bool readonly) {
  const auto use = image_use(path);
  return use == ImageUse::writes || (!readonly && use == ImageUse::reads);
}

bool lies_on(const Plan& plan, const std::string& path) {
  const bool own = std::any_of(plan.disks.begin(), plan.disks.end(),
                               [&](const PlannedDisk& disk) { return disk.path == path; });
  return own || std::any_of(plan.preparations.begin(), plan.preparations.end(),
                            [&](const Preparation& each) {
                              const auto* disk = std::get_if<MakeDisk>(&each.what);
                              return disk != nullptr && disk->base == path;
                            });
}

std::string holder(const std::string& path) {
  for (const auto& name : known_vms()) {
    try {
      const auto status = look(name, false);
      if (status.live && lies_on(status.live->plan, path)) return name;
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Another VM's damage is not this one's matter.
    }
  }
  return {};
}

/// Throws where somebody holds it and goes on to.
void require_free(const std::string& path, bool readonly, const std::string& name) {
  if (!in_the_way(path, readonly)) return;
  const auto vm = holder(path);
  if (vm.empty() && await_image(path, readonly)) return;
  const auto user = vm.empty() ? describe_holders(image_holders(path)) : "VM " + in_backticks(vm);
  StateError error("disk " + in_backticks(name) + ", " + in_backticks(path) + ", is in use by " +
                   user);
  error.help(vm.empty() ? "end that program first: two that write to one disk destroy it"
                        : "`qlaunch shutdown " + shell_quote(vm) + "` stops it");
  throw error;
}

/// What a guest had in memory of a disk must still fit it when it goes on.
void require_not_suspended(const std::string& path, const std::string& vm,
                           const std::string& name) {
  const auto owner = suspended_owner(path, vm);
  if (owner.empty()) return;
  StateError error("disk " + in_backticks(name) + ", " + in_backticks(path) +
                   ", belongs to the suspended VM " + in_backticks(owner));
  error.help("`qlaunch up " + shell_quote(owner) + "` lets it go on; shut it down then");
  throw error;
}

/// In the data folder of a VM on one of whose disks an overlay of another was made: only then its
/// starts have to look for it.
std::string base_mark(const VmPaths& paths) {
  return paths.data + "/base-of-others";
}

/// An overlay is destroyed by the next write to what it lies on.
void mark_base(const std::string& base, const Plan& plan, const Location& where) {
  for (const auto& disk : plan.disks) {
    if (disk.path != base || disk.readonly) continue;
    throw StateError("base image " + in_backticks(base) + " is this VM's own disk " +
                     in_backticks(disk.name) + ", which it writes to")
        .help("`qlaunch disk create FILE SIZE` makes a disk that lies on nothing")
        .at(where);
  }
  for (const auto& need : ImageNeeds().of(base)) {
    if (need.overlay.empty() && need.vm != plan.name && !is_frozen(base))
      write_file_atomic(base_mark(vm_paths(state_roots(), need.vm)), "", 0600, Durability::quick);
  }
}

void refuse_bases(const Plan& plan) {
  const auto mark = base_mark(plan.paths);
  if (plan.name.empty() || file_fact(mark).kind == FileFact::Kind::missing) return;
  const ImageNeeds needs;
  for (const auto& disk : plan.disks) {
    if (disk.readonly) continue;
    auto others = needs.of(disk.path);
    std::erase_if(others, [&](const ImageNeed& need) {
      return need.overlay.empty() || need.vm == plan.name;
    });
    if (others.empty()) continue;
    throw StateError("disk " + in_backticks(disk.name) + " of VM " + in_backticks(plan.name) +
                     " is the base of " + describe_needs(others) +
                     ": to write to it would destroy what lies on it")
        .help("`qlaunch clone " + shell_quote(plan.name) + " NEW` makes a VM with the same disks")
        .help("`qlaunch remove " + shell_quote(others.front().vm) + "` removes what lies on it");
  }
  remove_tree(mark);
}

}  // namespace

void check_disks(const Plan& plan) {
  refuse_bases(plan);
  for (const auto& disk : plan.disks) {
    require_free(disk.path, disk.readonly, disk.name);
    if (!disk.readonly) require_not_suspended(disk.path, plan.name, disk.name);
  }
  for (const auto& each : plan.preparations) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    if (disk == nullptr || disk->base.empty()) continue;
    require_free(disk->base, true, disk->base.substr(disk->base.rfind('/') + 1));
    if (!disk->fresh && file_fact(disk->path).kind == FileFact::Kind::missing)
      mark_base(disk->base, plan, each.reason.where);
  }
}

}  // namespace qlaunch
