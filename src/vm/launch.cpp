// SPDX-License-Identifier: MIT
#include "vm/launch.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/disks_in_use.hpp"
#include "vm/disk/image_hold.hpp"
#include "vm/ephemeral.hpp"
#include "vm/installer.hpp"
#include "vm/journal.hpp"
#include "vm/launch_lock.hpp"
#include "vm/make.hpp"
#include "vm/neighbours.hpp"
#include "vm/ports.hpp"
#include "vm/record.hpp"
#include "vm/snapshot/snapshots.hpp"
#include "vm/ssh_config.hpp"
#include "vm/start.hpp"
#include "vm/state/state_marker.hpp"
#include "vm/state/suspended.hpp"
#include "vm/state/wake.hpp"
#include "vm/state/warm_start.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

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

Record new_record(const LaunchRequest& request, const Prepared& prepared,
                  const std::optional<Record>& old) {
  Record record;
  record.name = prepared.plan.name;
  record.identity = prepared.identity;
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

bool runs(const std::string& name) {
  const auto live = read_live(name);
  return live && alive(live->qemu);
}

/// The plan, with its VM's name held: what was true when the plan was made is true still.
Prepared hold(const LaunchRequest& request, std::optional<LaunchLock>& lock, ImageHold& images,
              const LaunchProgress& progress, const std::function<bool()>& interrupted) {
  for (;;) {
    auto prepared = prepare(request, SocketStyle::descriptor);
    const auto& plan = prepared.plan;
    // Before the name is held: a download takes its time, and other commands want to know the VM.
    if (!runs(plan.name) && !images.ready(plan, progress, interrupted)) continue;
    lock.emplace(plan.name, plan.paths);
    if (request.ephemeral) {
      if (lock->fresh()) return prepared;
      if (request.name.empty()) continue;
      throw StateError("there is a VM " + in_backticks(plan.name) +
                       ": a run of which nothing is left needs a name of its own")
          .help("without `--name` it gets one");
    }
    const bool known = read_record(plan.name).has_value();
    const bool same =
        !request.name.empty() || vm_called(prepared.profile_name, request.profile) == plan.name;
    if (same && known == prepared.known) return prepared;
    if (lock->fresh()) remove_tree(plan.paths.data);
    lock.reset();
    // The user meant that very VM.
    if (!request.name.empty() && !known)
      throw StateError("VM " + in_backticks(plan.name) + " was renamed or removed meanwhile")
          .help("`qlaunch list` shows the known VMs");
  }
}

Launched launch_anew(const LaunchRequest& request, const LaunchProgress& progress,
                     const std::function<bool()>& interrupted) {
  const auto check_interrupt = [&] {
    if (interrupted()) throw Error("interrupted: the launch was undone");
  };
  std::optional<LaunchLock> lock;
  ImageHold images;
  const auto prepared = hold(request, lock, images, progress, interrupted);
  at_step(Step::launch_locked);
  const auto& plan = prepared.plan;
  if (plan.display == DisplayType::curses) {
    if (lock->fresh()) remove_tree(plan.paths.data);
    throw UsageError("display `curses` draws on the terminal that QEMU itself runs in")
        .help("`qlaunch args " + profile_word(request) + " > run.sh; sh run.sh` runs it there")
        .at(prepared.profile.where("display.type"));
  }

  // Goes before the lock does, so that nobody starts in a folder that is being removed.
  Undo undo;
  if (lock->fresh()) undo.remove_later(plan.paths.data);
  if (request.ephemeral) mark_ephemeral(plan.paths);
  if (request.paused && plan.descriptor("serial") == nullptr)
    throw StateError("VM " + in_backticks(plan.name) + " has no serial port, which is its console")
        .help("set `type = \"isa\"` in [serial]");
  const auto old = read_record(plan.name);
  if (old) check_claim(*old, request, progress);
  // Asked of QEMU itself: one that is just ending does not count as running.
  if (auto status = look(plan.name); status.live) {
    undo.keep();
    if (!request.cdrom.empty())
      throw StateError("VM " + in_backticks(plan.name) + " already runs: it boots no CD now")
          .help("`qlaunch shutdown " + shell_quote(plan.name) +
                "` stops it; the same command then boots the CD");
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
  settle_before_start(plan.name);
  refuse_suspended(plan.name, "cannot be started from another profile");
  for (const auto& warning : prepared.warnings) progress.warning(warning);
  for (const auto& warning : crowding(prepared.profile, plan)) progress.warning(warning);
  check_ports(plan);
  check_disks(plan);

  clear_dead_run(plan.name, plan.paths);
  clear_unfinished_suspend(plan.paths);
  at_step(Step::launch_cleared);
  make_folder(plan.paths.state, undo);
  make_folder(plan.paths.runtime, undo);
  for (const auto& preparation : plan.preparations) {
    check_interrupt();
    if (const auto work = describe_work(preparation); !work.empty()) progress.step(work);
    make(preparation, prepared.facts, undo);
  }

  for (const auto& log : log_files(plan.name)) {
    std::error_code ignored;
    // What the guest said before its state was saved was put there a moment ago.
    const bool goes_on = request.warm && !request.warm->folder.empty() && log.name == "provision";
    if (log.name != "events" && log.name != "serial" && !goes_on)
      std::filesystem::remove(log.path, ignored);
  }
  auto record = new_record(request, prepared, old);
  if (!old) undo.remove_later(plan.paths.data + "/vm.json");
  Launched launched;
  try {
    check_interrupt();
    at_step(Step::launch_prepared);
    progress.step("starting " + plan.qemu.program + (plan.kvm ? " with KVM" : " with TCG"));
    // A run must never be without a record; where there is one already, its update can wait until
    // QEMU is on its way.
    if (!old) write_record(record);
    // There before its keeper is, which looks for it once.
    std::optional<StateMarker> marker;
    const bool goes_on = request.warm && !request.warm->folder.empty();
    if (goes_on) marker.emplace(plan.paths, StateMarker::Work::loading);
    auto reports = start_processes(plan);
    try {
      if (old) write_record(record);
    } catch (...) {
      abandon_start(plan, reports);
      throw;
    }
    launched.live = await_start(plan, reports, interrupted);
    if (goes_on) {
      try {
        load_warm(launched.live, request.warm->folder, interrupted);
      } catch (...) {
        abandon_run(launched.live, reports);
        throw;
      }
    }
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
    if (!request.cdrom.empty()) boot_installer_once(launched.live);
  } catch (const std::exception& error) {
    progress.warning(
        warning_at({}, std::string("the CD will be booted at a reset, too: ") + error.what()));
  }
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
  refresh_ssh_config();
  at_step(Step::launch_done);
  return launched;
}

}  // namespace

Launched launch(const LaunchRequest& request, const LaunchProgress& progress,
                const std::function<bool()>& interrupted) {
  const auto anew = [&](const LaunchRequest& how) {
    return launch_anew(how, progress, interrupted);
  };
  if (!request.from.empty()) return launch_from_snapshot(request, progress, interrupted);
  if (request.ephemeral) return launch_ephemeral(request, progress, interrupted, anew);
  if (const auto name = suspended_vm(request); !name.empty()) {
    if (auto launched = wake(name, request, progress, interrupted)) return std::move(*launched);
  }
  return anew(request);
}

void check_launch(const LaunchRequest& request, const LaunchProgress& progress,
                  const std::function<bool()>& interrupted) {
  ImageHold images;
  auto plan = prepare(request, SocketStyle::descriptor).plan;
  while (!images.ready(plan, progress, interrupted))
    plan = prepare(request, SocketStyle::descriptor).plan;
  // Those that it has itself are free once it is stopped.
  if (const auto live = read_live(plan.name); live && alive(live->qemu)) {
    std::erase_if(plan.forwards, [&](const PlannedForward& planned) {
      return std::any_of(live->forwards.begin(), live->forwards.end(), [&](const auto& own) {
        return own.forward.host_port == planned.forward.host_port &&
               own.forward.protocol == planned.forward.protocol;
      });
    });
  }
  check_ports(plan);
}

void start_paused(const std::string& name) {
  CommandSocket socket(require_running(name));
  auto& client = socket.client();
  if (client.execute("query-status").at("status") == "prelaunch") client.execute("cont");
}

}  // namespace qlaunch
