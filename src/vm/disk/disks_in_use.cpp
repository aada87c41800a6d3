// SPDX-License-Identifier: MIT
#include "vm/disk/disks_in_use.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/facts.hpp"
#include "host/files.hpp"
#include "image/image_locks.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/bases.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/live.hpp"
#include "vm/state/suspended.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <variant>

#include <poll.h>

namespace qlaunch {
namespace {

// A qemu-img that looks at a disk, or that a killed command has left behind, is done by then.
constexpr auto short_use = std::chrono::seconds(2);
constexpr int look_again = 20;  // milliseconds: nobody tells when a lock goes

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
  const auto deadline = std::chrono::steady_clock::now() + short_use;
  while (vm.empty() && std::chrono::steady_clock::now() < deadline) {
    poll(nullptr, 0, look_again);
    if (!in_the_way(path, readonly)) return;
  }
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

/// An overlay is destroyed by the next write to what it lies on, whoever runs when.
void require_no_disk(const std::string& base, const Plan& plan, const Location& where) {
  std::string owner;
  for (const auto& disk : plan.disks) {
    if (disk.path == base && !disk.readonly)
      owner = "this VM's own disk " + in_backticks(disk.name);
  }
  for (const auto& need : ImageNeeds().of(base)) {
    if (owner.empty() && need.overlay.empty() && !is_frozen(base) && !need.disk.empty() &&
        need.vm != plan.name)
      owner = "disk " + in_backticks(need.disk) + " of VM " + in_backticks(need.vm);
  }
  if (owner.empty()) return;
  throw StateError("base image " + in_backticks(base) + " is " + owner +
                   ", which writes to it: an overlay on it would be destroyed")
      .help("`qlaunch clone VM NEW` makes a VM with the same disks")
      .help("`qlaunch disk create FILE SIZE` makes one that lies on nothing")
      .at(where);
}

}  // namespace

void check_disks(const Plan& plan) {
  for (const auto& disk : plan.disks) {
    require_free(disk.path, disk.readonly, disk.name);
    if (!disk.readonly) require_not_suspended(disk.path, plan.name, disk.name);
  }
  for (const auto& each : plan.preparations) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    if (disk == nullptr || disk->base.empty()) continue;
    require_free(disk->base, true, disk->base.substr(disk->base.rfind('/') + 1));
    if (!disk->fresh && file_fact(disk->path).kind == FileFact::Kind::missing)
      require_no_disk(disk->base, plan, each.reason.where);
  }
}

}  // namespace qlaunch
