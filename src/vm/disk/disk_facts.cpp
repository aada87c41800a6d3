// SPDX-License-Identifier: MIT
#include "vm/disk/disk_facts.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// The VM whose QEMU this process is; empty: none.
std::string vm_of(pid_t pid) {
  for (const auto& name : known_vms()) {
    try {
      const auto live = read_live(name);
      if (live && live->qemu.pid == pid && alive(live->qemu)) return name;
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Another VM's damage is not this one's matter.
    }
  }
  return {};
}

std::vector<DiskUser> disk_users_of(const std::string& path) {
  std::vector<DiskUser> users;
  for (auto& holder : image_holders(path)) users.push_back({holder, vm_of(holder.pid)});
  return users;
}

}  // namespace

DiskFacts disk_facts(const DiskTarget& target, const ImageNeeds& needs) {
  DiskFacts facts;
  facts.target = target;
  const auto& path = target.path;
  const QemuImg qemu_img;
  const auto kind = file_fact(path).kind;
  if (kind == FileFact::Kind::missing || kind == FileFact::Kind::folder) {
    facts.problem = kind == FileFact::Kind::folder ? "it is a folder" : "there is no such file";
    return facts;
  }
  try {
    facts.chain = qemu_img.chain(path, target.format);
  } catch (const Error& error) {
    facts.problem = error.what();
    // Where something below it is missing, it can be looked at all the same.
    try {
      facts.chain = {qemu_img.info(path, target.format)};
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Said above.
    }
  }
  facts.use = image_use(path);
  if (facts.use != ImageUse::none) facts.users = disk_users_of(path);
  facts.needs = needs.of(path);
  return facts;
}

void require_unused(const DiskTarget& target) {
  if (image_use(target.path) == ImageUse::none) return;
  const auto users = disk_users_of(target.path);
  const auto named = std::find_if(users.begin(), users.end(),
                                  [](const DiskUser& user) { return !user.vm.empty(); });
  std::vector<ImageHolder> holders;
  holders.reserve(users.size());
  for (const auto& user : users) holders.push_back(user.process);
  const bool ours = named != users.end();
  if (!ours && await_image(target.path)) return;
  StateError error(in_backticks(target.name()) + " is in use by " +
                   (ours ? "VM " + in_backticks(named->vm) : describe_holders(holders)));
  if (ours) error.help("`qlaunch shutdown " + shell_quote(named->vm) + "` stops it");
  if (ours && target.vm.empty())
    error.help("`qlaunch disk info " + shell_quote(named->vm) + "` shows its disks by name");
  throw error;
}

void require_no_overlays(const std::string& path, const std::string& name,
                         const ImageNeeds& needs) {
  auto found = needs.of(path);
  std::erase_if(found, [](const ImageNeed& need) { return need.overlay.empty(); });
  if (found.empty()) return;
  throw StateError(in_backticks(name) + " is what a disk of " + describe_needs(found) +
                   " lies on, and has to stay as it is")
      .help("its overlay is " + found.front().overlay);
}

}  // namespace qlaunch
