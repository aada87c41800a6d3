// SPDX-License-Identifier: MIT
#include "vm/launch_lock.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/journal.hpp"
#include "vm/live.hpp"
#include "vm/operation.hpp"
#include "vm/start_list.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>

#include <sys/stat.h>

namespace qlaunch {
namespace {

/// Whether there is nothing in a VM's folder but the lock; a start that was cut off leaves that.
bool only_lock_in(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename() != "lock") return false;
  }
  return !error;
}

}  // namespace

LaunchLock::LaunchLock(const std::string& name, const VmPaths& paths) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  for (;;) {
    make_private_folder(paths.data);
    lock_.emplace(paths.data + "/lock");
    if (!lock_->lock(deadline)) {
      const auto holder = lock_->holder();
      const auto operation = operation_under_way(name);
      throw TimeoutError("VM " + in_backticks(name) +
                         (operation ? " is busy, " + operation_text(*operation)
                                    : " is being started by another command") +
                         (holder ? " (pid " + std::to_string(*holder) + ")" : ""));
    }
    // A launch that failed may have removed the folder while this one waited for its lock.
    struct stat held {};
    struct stat there {};
    if (fstat(lock_->fd(), &held) == 0 && stat(lock_->path().c_str(), &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev)
      break;
  }
  // Looked at only now: another start may have filled the folder while this one waited.
  fresh_ = only_lock_in(paths.data);
  // Before anybody looks at its disks: of a run that ended without its keeper.
  const auto live = fresh_ ? std::nullopt : read_live(name);
  if (!fresh_ && (!live || (!alive(live->qemu) && !alive(live->keeper))))
    settle_overlays(paths.data);
}

void clear_dead_run(const std::string& name, const VmPaths& paths) {
  if (const auto dead = read_live(name)) {
    if (alive(dead->qemu)) throw StateError("VM " + in_backticks(name) + " runs");
    // Its keeper may still be tidying up, in the very folder that the new run is to use.
    const auto keeper = open_pidfd(dead->keeper);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    if (keeper && !wait_exit(keeper.get(), deadline))
      throw TimeoutError("the last run of VM " + in_backticks(name) +
                         " is not tidied up yet: its keeper (pid " +
                         std::to_string(dead->keeper.pid) + ") still works");
    if (!keeper) {
      for (const auto& helper : dead->helpers) send_signal(helper.process, SIGKILL);
      journal(name, "RUN_LOST");
    }
    // It may have been started with other folders than these.
    if (dead->plan.paths.runtime != paths.runtime) remove_tree(dead->plan.paths.runtime);
  }
  // A start that was killed may have left processes without a record.
  end_start(paths.runtime);
  remove_tree(paths.runtime);
  forget_run(name);
}

}  // namespace qlaunch
