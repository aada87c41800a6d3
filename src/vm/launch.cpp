// SPDX-License-Identifier: MIT
#include "vm/launch.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/catalog.hpp"
#include "vm/journal.hpp"
#include "vm/make.hpp"
#include "vm/ports.hpp"
#include "vm/record.hpp"
#include "vm/start.hpp"

#include <algorithm>
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

/// Held by whoever starts this VM, until it runs or has failed.
class LaunchLock {
 public:
  LaunchLock(const std::string& name, const VmPaths& paths) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    for (;;) {
      make_private_folder(paths.data);
      lock_.emplace(paths.data + "/lock");
      if (!lock_->lock(deadline)) {
        const auto holder = lock_->holder();
        throw TimeoutError("VM " + in_backticks(name) + " is being started by another command" +
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
  }

  /// Whether nothing of the VM was there before.
  bool fresh() const { return fresh_; }

 private:
  std::optional<FileLock> lock_;
  bool fresh_ = false;
};

/// One name belongs to one profile, unless that one is gone or the user says otherwise.
void check_claim(const Record& record, const LaunchRequest& request,
                 const LaunchProgress& progress) {
  if (record.profile == request.profile) return;
  const bool gone = !record.profile.starts_with(builtin_prefix) &&
                    file_fact(record.profile).kind == FileFact::Kind::missing;
  const auto old = in_backticks(record.profile);
  if (gone) {
    progress.warning(warning_at({}, "VM " + in_backticks(record.name) + " now belongs to " +
                                        in_backticks(request.profile) + ": its profile " + old +
                                        " is gone"));
  } else if (!request.adopt) {
    UsageError error("VM " + in_backticks(record.name) + " belongs to another profile, " + old);
    error.help("use `--name NEW` to start this profile as a VM of its own");
    error.help("use `--adopt` to let this profile take the VM over, with its disks");
    throw error;
  }
}

void check_images(const Plan& plan) {
  if (plan.missing_images.empty()) return;
  const auto& image = plan.missing_images.front();
  Error error("image " + in_backticks(image.name) + " is not downloaded");
  for (const auto& command : image.how_to_get()) error.help(std::string(command_mark) + command);
  throw std::move(error).at(image.where);
}

Record new_record(const LaunchRequest& request, const Prepared& prepared,
                  const std::optional<Record>& old) {
  Record record;
  record.name = prepared.plan.name;
  record.profile = request.profile;
  record.sources = prepared.sources;
  record.settings = request.settings;
  std::error_code ignored;
  record.folder =
      request.folder.empty() ? std::filesystem::current_path(ignored).string() : request.folder;
  record.machine_asked = prepared.profile.machine.type;
  record.machine_type = prepared.plan.machine_type;
  if (old) record.auto_ports = old->auto_ports;
  record.created = old ? old->created : timestamp();
  record.plan = plan_to_json(prepared.plan);
  return record;
}

/// After a start that failed; that failure is the news, not one of this.
void restore_record(const std::optional<Record>& old) {
  try {
    if (old) write_record(*old);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // See above.
  }
}

/// What runs stays as it is: a start that asks for something else is not silently taken for done.
void check_same_start(const Record& record, const LaunchRequest& request) {
  const auto refuse = [&](const std::string& difference) {
    StateError error("VM " + in_backticks(record.name) + " already runs, " + difference);
    error.help("`qlaunch shutdown " + shell_quote(record.name) +
               "` stops it; the same command then starts it anew");
    return error;
  };
  if (request.adopt && record.profile != request.profile)
    throw refuse("from its old profile, " + in_backticks(record.profile));
  if (!request.settings.empty() && request.settings != record.settings)
    throw refuse("with other settings than these");
}

/// A name that is free to start: nothing of an earlier run may be in the way.
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
  remove_tree(paths.runtime);
  forget_run(name);
}

std::string profile_word(const LaunchRequest& request) {
  const std::string_view path = request.profile;
  return shell_quote(path.starts_with(builtin_prefix) ? path.substr(builtin_prefix.size()) : path);
}

/// What shows the very command line that failed.
std::string args_command(const LaunchRequest& request) {
  std::string command = "qlaunch args " + profile_word(request);
  if (!request.name.empty()) command += " --name " + shell_quote(request.name);
  for (const auto& setting : request.settings) command += " --set " + shell_quote(setting);
  return command;
}

}  // namespace

Launched launch(const LaunchRequest& request, const LaunchProgress& progress,
                const std::function<bool()>& interrupted) {
  const auto check_interrupt = [&] {
    if (interrupted()) throw Error("interrupted: the launch was undone");
  };
  const auto prepared = prepare(request, SocketStyle::descriptor);
  const auto& plan = prepared.plan;
  if (plan.display == DisplayType::curses)
    throw UsageError("display `curses` draws on the terminal that QEMU itself runs in")
        .help("`qlaunch args " + profile_word(request) + " > run.sh; sh run.sh` runs it there")
        .at(prepared.profile.where("display.type"));

  const LaunchLock lock(plan.name, plan.paths);
  // Goes before the lock does, so that nobody starts in a folder that is being removed.
  Undo undo;
  if (lock.fresh()) undo.remove_later(plan.paths.data);
  const auto old = read_record(plan.name);
  if (old) check_claim(*old, request, progress);
  // Asked of QEMU itself: one that is just ending does not count as running.
  if (auto status = look(plan.name); status.live) {
    undo.keep();
    // Without a record its start was killed before it was written.
    if (!old) write_record(new_record(request, prepared, old));
    std::vector<ProfileChange> changes;
    if (old) {
      check_same_start(*old, request);
      auto record = *old;
      record.profile = request.profile;
      if (old->profile != request.profile) write_record(record);
      changes = profile_changes(record);
    }
    return {std::move(*status.live), true, std::move(changes)};
  }
  for (const auto& warning : prepared.warnings) progress.warning(warning);
  check_images(plan);
  check_ports(plan);

  clear_dead_run(plan.name, plan.paths);
  make_folder(plan.paths.state, undo);
  make_folder(plan.paths.runtime, undo);
  for (const auto& preparation : plan.preparations) {
    check_interrupt();
    if (const auto work = describe_work(preparation); !work.empty()) progress.step(work);
    make(preparation, prepared.facts, undo);
  }

  for (const auto& log : log_files(plan.name)) {
    std::error_code ignored;
    if (log.name != "events" && log.name != "serial") std::filesystem::remove(log.path, ignored);
  }
  auto record = new_record(request, prepared, old);
  if (!old) undo.remove_later(plan.paths.data + "/vm.json");
  Launched launched;
  try {
    check_interrupt();
    progress.step("starting " + plan.qemu.program + (plan.kvm ? " with KVM" : " with TCG"));
    // A run must never be without a record; where there is one already, its update can wait until
    // QEMU is on its way.
    if (!old) write_record(record);
    auto reports = start_processes(plan);
    try {
      if (old) write_record(record);
    } catch (...) {
      abandon_start(plan, reports);
      throw;
    }
    launched.live = await_start(plan, reports, interrupted);
  } catch (Error& error) {
    restore_record(old);
    if (error.code() == ExitCode::failed && !interrupted())
      error.help("this prints the command that was run, as a script:")
          .help("$ " + args_command(request));
    throw;
  } catch (...) {
    restore_record(old);
    throw;
  }
  undo.keep();
  try {
    if (learn_ports(launched.live)) write_live(launched.live);
  } catch (const std::exception& error) {
    progress.warning(warning_at(
        {}, std::string("the ports of \"auto\" forwards are not known: ") + error.what()));
  }
  try {
    if (remember_ports(record, prepared.profile, launched.live)) write_record(record);
  } catch (const Error& error) {
    // The VM runs: that its ports are not remembered is no failure of the start.
    progress.warning(warning_at({}, error.what()));
  }
  return launched;
}

}  // namespace qlaunch
