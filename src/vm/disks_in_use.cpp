// SPDX-License-Identifier: MIT
#include "vm/disks_in_use.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <variant>

#include <fcntl.h>
#include <poll.h>

namespace qlaunch {
namespace {

// QEMU marks what it does with a file by locks on single bytes (its block/file-posix.c): from 100
// on what it does itself, the second of them writing.
constexpr off_t first_use = 100;
constexpr off_t writing = 101;
constexpr off_t uses = 64;

// A qemu-img that looks at a disk, or that a killed command has left behind, is done by then.
constexpr auto short_use = std::chrono::seconds(2);
constexpr int look_again = 20;  // milliseconds: nobody tells when a lock goes

bool locked(const std::string& path, off_t first, off_t count) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct flock probe {};
  probe.l_type = F_WRLCK;
  probe.l_whence = SEEK_SET;
  probe.l_start = first;
  probe.l_len = count;
  return file && fcntl(file.get(), F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
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

/// Throws where these bytes are locked and stay so.
void require_free(const std::string& path, off_t first, off_t count, const std::string& name) {
  if (!locked(path, first, count)) return;
  const auto vm = holder(path);
  const auto deadline = std::chrono::steady_clock::now() + short_use;
  while (vm.empty() && std::chrono::steady_clock::now() < deadline) {
    poll(nullptr, 0, look_again);
    if (!locked(path, first, count)) return;
  }
  StateError error("disk " + in_backticks(name) + ", " + in_backticks(path) + ", is in use by " +
                   (vm.empty() ? "another program" : "VM " + in_backticks(vm)));
  if (!vm.empty()) error.help("`qlaunch shutdown " + shell_quote(vm) + "` stops it");
  throw error;
}

}  // namespace

void check_disks(const Plan& plan) {
  for (const auto& disk : plan.disks) {
    // Whoever reads a disk does not let it be written either.
    if (disk.readonly) {
      require_free(disk.path, writing, 1, disk.name);
    } else {
      require_free(disk.path, first_use, uses, disk.name);
    }
  }
  for (const auto& each : plan.preparations) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    if (disk != nullptr && !disk->base.empty())
      require_free(disk->base, writing, 1, disk->base.substr(disk->base.rfind('/') + 1));
  }
}

}  // namespace qlaunch
