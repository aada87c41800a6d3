// SPDX-License-Identifier: MIT
// Starts QEMU from a snapshot: with the plan that was kept with it, whatever the profile says now.
#include "vm/start.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "host/spawn.hpp"
#include "plan/plan_json.hpp"
#include "vm/control.hpp"
#include "vm/disk/disks_in_use.hpp"
#include "vm/ephemeral.hpp"
#include "vm/guest_clock.hpp"
#include "vm/journal.hpp"
#include "vm/launch_lock.hpp"
#include "vm/make.hpp"
#include "vm/ports.hpp"
#include "vm/share/detach.hpp"
#include "vm/snapshot/parts.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/steps.hpp"
#include "vm/state/suspended.hpp"

#include <filesystem>

namespace qlaunch {
namespace {

Plan plan_of(const std::string& name, const SnapshotNote& note) {
  // One that another program made says nothing of the machine.
  if (note.plan.empty()) return plan_to_keep(last_plan(name));
  try {
    auto plan = plan_from_json(note.plan);
    if (note.kind != SnapshotKind::live) return plan;
    return without_shares(plan_to_load_into(plan), detached_from_json(note.detached));
  } catch (const Error& error) {
    throw Error("the machine that snapshot " + in_backticks(note.tag) + " of VM " +
                in_backticks(name) + " was made on is not known to this version: " + error.what());
  }
}

/// Where any port will do, the one that the VM has had before, if that is free.
void choose_ports(const std::string& name, Plan& plan) {
  const auto record = require_record(name);
  for (std::size_t index = 0; index < plan.forwards.size(); ++index) {
    const auto& forward = plan.forwards[index].forward;
    const auto known = record.auto_ports.find(auto_port_key(plan.forwards[index].network, forward));
    if (known == record.auto_ports.end()) continue;
    const bool free = port_free(forward.protocol, forward.host_address, known->second);
    set_host_port(plan, index, free ? known->second : std::uint16_t{0});
  }
}

HostFacts facts_to_make() {
  HostFacts facts;
  facts.qemu_img = find_program("qemu-img");
  return facts;
}

void prepare_files(const Plan& plan, Undo& undo, const LaunchProgress& progress) {
  make_folder(plan.paths.state, undo);
  make_folder(plan.paths.runtime, undo);
  const auto facts = facts_to_make();
  for (const auto& preparation : plan.preparations) {
    if (const auto work = describe_work(preparation); !work.empty()) progress.step(work);
    make(preparation, facts, undo);
  }
  for (const auto& log : log_files(plan.name)) {
    std::error_code ignored;
    if (log.name != "events" && log.name != "serial") std::filesystem::remove(log.path, ignored);
  }
}

/// So that `status` tells of the machine that runs, and the next start pins its type.
void record_plan(const std::string& name, const Plan& plan) {
  auto record = require_record(name);
  record.plan = plan_to_json(plan_to_keep(plan));
  record.machine_type = plan.machine_type;
  write_record(record);
}

}  // namespace

LiveRecord start_from(const std::string& name, const SnapshotNote& note, Undertaking& undertaking,
                      const LaunchProgress& progress, const std::function<bool()>& interrupted) {
  auto plan = plan_of(name, note);
  choose_ports(name, plan);
  check_ports(plan);
  check_disks(plan);
  clear_dead_run(name, plan.paths);
  clear_unfinished_suspend(plan.paths);
  Undo undo;
  prepare_files(plan, undo, progress);
  undertaking.now("starting from snapshot " + in_backticks(note.tag));
  progress.step("starting " + plan.qemu.program + (plan.kvm ? " with KVM" : " with TCG"));
  auto reports = start_processes(plan);
  auto live = await_start(plan, reports, interrupted);
  undo.keep();
  if (note.kind == SnapshotKind::live) {
    auto work = new_work(SnapshotWork::Kind::take_up, note);
    work.qemu = live.qemu;
    write_work(name, work);
  }
  at_step(SnapshotStep::restart_started);
  try {
    record_plan(name, plan);
    if (learn_ports(live)) write_live(live);
    LiveSnapshots vm(live);
    if (note.kind == SnapshotKind::live) {
      load_running(vm, note, undertaking, true);
    } else {
      set_current_tag(name, note.tag);
    }
    remove_work(name);
    return live;
  } catch (...) {
    // What has been started for it is not to stand there half-way.
    try {
      kill_vm(name);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // The failure that led here is the news.
    }
    throw;
  }
}

Launched launch_from_snapshot(const LaunchRequest& request, const LaunchProgress& progress,
                              const std::function<bool()>& interrupted) {
  const auto& name = request.name;
  const SnapshotLock lock(name);
  if (look(name, false).live)
    throw StateError("VM " + in_backticks(name) + " already runs")
        .help("`qlaunch snapshot revert " + shell_quote(name) + ' ' + shell_quote(request.from) +
              "` takes the snapshot up in a VM that runs");
  const LaunchLock held(name, vm_paths(state_roots(), name));
  refuse_suspended(name, "cannot be started from a snapshot");
  settle_before_start(name);
  const auto last = last_plan(name);
  const auto list = read_snapshots(name, last);
  const auto note = require_whole(name, list, request.from).note;
  SnapshotTelling telling;
  telling.doing = progress.step;
  telling.interrupted = interrupted;
  Undertaking undertaking(name, "starting from snapshot " + in_backticks(note.tag), telling);
  if (!request.discard) {
    const auto kept = keep_before_revert(name, last, note, undertaking);
    if (!kept.empty()) progress.step("the disks as they were are kept as " + kept);
  }
  if (note.kind == SnapshotKind::disks) take_up_stopped(name, note, undertaking);
  auto live = start_from(name, note, undertaking, progress, interrupted);
  return {std::move(live), false, {}, note.kind == SnapshotKind::live};
}

}  // namespace qlaunch
