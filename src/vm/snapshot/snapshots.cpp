// SPDX-License-Identifier: MIT
#include "vm/snapshot/snapshots.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/internal_snapshots.hpp"
#include "plan/plan_json.hpp"
#include "qmp/error.hpp"
#include "vm/control.hpp"
#include "vm/ephemeral.hpp"
#include "vm/guest_clock.hpp"
#include "vm/launch_lock.hpp"
#include "vm/share/detach.hpp"
#include "vm/snapshot/parts.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/steps.hpp"
#include "vm/snapshot/tag.hpp"
#include "vm/state/suspended.hpp"

#include <algorithm>
#include <chrono>
#include <set>

namespace qlaunch {
namespace {

constexpr auto snapshot_end_patience = std::chrono::seconds(15);

/// A VM as a command finds it: held so that it stays as it is, with nothing cut off left.
class Held {
 public:
  explicit Held(const std::string& name) : name_(name), lock_(name) {
    // It may start or end while this looks.
    for (int attempt = 0;; ++attempt) {
      try {
        if (auto status = look(name, false); status.live) {
          vm_.emplace(*status.live);
          vm_->refuse_migration();
          settle_running(*vm_);
          put_back();
        } else {
          stop();
        }
        return;
      } catch (const StateError&) {
        if (attempt == 2 || vm_ || !look(name, false).live) throw;
      } catch (const qmp::Gone&) {
        if (attempt == 2) throw;
        vm_.reset();
      }
    }
  }

  bool runs() const { return vm_.has_value(); }
  LiveSnapshots& vm() { return *vm_; }
  Plan plan() const { return vm_ ? vm_->live().plan : last_plan(name_); }
  SnapshotList list() const { return read_snapshots(name_, plan()); }

  /// QEMU has ended by itself, or was told to.
  void ended() {
    const auto pidfd = open_pidfd(vm_->live().qemu);
    if (pidfd) wait_exit(pidfd.get(), std::chrono::steady_clock::now() + snapshot_end_patience);
    vm_.reset();
    look(name_, false);
    if (file_fact(vm_paths(state_roots(), name_).data + "/vm.json").kind == FileFact::Kind::file)
      stop();
  }
  /// It is going to be ended: what is left then is not to be settled by anybody else.
  void end() {
    vm_.reset();
    kill_vm(name_);
    held_.emplace(name_, vm_paths(state_roots(), name_));
  }

 private:
  /// Shares that a command which was cut off has taken from the guest.
  void put_back() {
    try {
      put_back_shares(vm_->live(), vm_->client());
    } catch (const qmp::Gone&) {
      throw;
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // `status` tells it, and nothing is saved without them.
    }
  }
  void stop() {
    const auto paths = vm_paths(state_roots(), name_);
    held_.reset();
    held_.emplace(name_, paths);
    // What it has in memory fits its disks as they are now.
    refuse_suspended(name_, "its disks have to stay as they are");
    // Whoever was starting it may have been killed while QEMU was on its way.
    clear_dead_run(name_, paths);
    settle_stopped(name_);
  }

  std::string name_;
  SnapshotLock lock_;
  std::optional<LaunchLock> held_;
  std::optional<LiveSnapshots> vm_;
};

void require_free(const std::string& name, const SnapshotList& list, const std::string& tag) {
  const auto* entry = find_entry(list.entries, tag);
  if (entry == nullptr) return;
  throw StateError("VM " + in_backticks(name) + " has a snapshot " + in_backticks(tag) +
                   " already" + (entry->problem.empty() ? "" : " (" + entry->problem + ")"))
      .help("use another tag, or delete that one with `qlaunch snapshot delete " +
            shell_quote(name) + ' ' + shell_quote(tag) + '`');
}

std::string free_tag(const SnapshotList& list, const std::string& wanted) {
  auto tag = wanted;
  for (int number = 2; find_entry(list.entries, tag) != nullptr; ++number)
    tag = wanted + '-' + std::to_string(number);
  return tag;
}

[[noreturn]] void throw_ended(const std::string& name, const std::string& doing) {
  throw Error("QEMU of VM " + in_backticks(name) + " ended while it was " + doing)
      .help("`qlaunch snapshot list " + shell_quote(name) + "` shows what there is now")
      .help("`qlaunch log " + shell_quote(name) + " qemu` shows what QEMU said");
}

/// What could not be given back is no reason to lose a snapshot: the next command tries it again.
void give_back(LiveSnapshots& vm, const std::vector<DetachedShare>& shares,
               const Undertaking& undertaking) {
  try {
    attach_shares(vm.live(), vm.client(), shares);
  } catch (const qmp::Gone&) {
    throw;
  } catch (const std::exception& error) {
    undertaking.say(error.what());
  }
}

SnapshotNote save_without_shares(LiveSnapshots& vm, SnapshotNote note, bool all,
                                 Undertaking& undertaking) {
  std::vector<DetachedShare> shares;
  if (note.kind == SnapshotKind::live) refuse_detached(vm.live());
  if (note.kind == SnapshotKind::live && shares_block(vm.client())) {
    const auto blockers = vm.blockers(false);
    if (std::any_of(blockers.begin(), blockers.end(), [](const auto& each) { return !each.share; }))
      throw blocked(vm.live().name, blockers, false);
    shares = detach_shares(vm.live(), vm.client(), all);
    note.detached = detached_to_json(shares);
  }
  try {
    auto done = save_running(vm, std::move(note), undertaking);
    give_back(vm, shares, undertaking);
    return done;
  } catch (const qmp::Gone&) {
    throw;
  } catch (...) {
    give_back(vm, shares, undertaking);
    throw;
  }
}

SnapshotNote save(Held& held, const std::string& name, const SnapshotNote& note, bool all_shares,
                  Undertaking& undertaking) {
  try {
    return save_without_shares(held.vm(), note, all_shares, undertaking);
  } catch (const qmp::Gone&) {
    held.ended();
    throw_ended(name, "saving snapshot " + in_backticks(note.tag));
  }
}

/// The disks that it has are those that the VM writes to now, through whatever nodes.
bool same_nodes(LiveSnapshots& vm, const SnapshotNote& note) {
  std::set<std::string> now, then;
  for (const auto& node : vm.nodes()) now.insert(node.name);
  for (const auto& member : note.members) {
    if (member.name != "state") then.insert(member.name);
  }
  return now == then;
}

/// Why it takes a new QEMU; empty where it does not.
std::string reason_to_restart(LiveSnapshots& vm, const SnapshotNote& note) {
  if (note.kind == SnapshotKind::disks) return "it holds the disks alone";
  if (!same_machine(vm.live().plan, plan_from_json(note.plan)) || !same_nodes(vm, note))
    return "it was made on another machine than runs now";
  if (!lets_go_of_shares(vm.live(), vm.client(), detached_from_json(note.detached)))
    return "its guest does not answer, and cannot let go of its shares";
  return {};
}

}  // namespace

SnapshotNote create_snapshot(const std::string& name, const SnapshotRequest& request,
                             const SnapshotTelling& telling) {
  if (!request.tag.empty()) check_tag(request.tag);
  Held held(name);
  const auto list = held.list();
  const auto tag =
      request.tag.empty() ? free_tag(list, tag_for(std::chrono::system_clock::now())) : request.tag;
  require_free(name, list, tag);
  const auto plan = held.plan();
  auto note = begin_note(name, plan, tag, request.text);
  Undertaking undertaking(name, "saving snapshot " + in_backticks(tag), telling);
  if (!held.runs()) return keep_stopped(name, plan, std::move(note), undertaking);
  note.kind = request.disk_only ? SnapshotKind::disks : SnapshotKind::live;
  return save(held, name, note, request.detach_shares, undertaking);
}

SnapshotList list_snapshots(const std::string& name) {
  if (const auto work = read_work(name); work && !alive(work->process)) {
    try {
      return Held(name).list();
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // The list is shown as it is.
    } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
      // QEMU may still be at what a killed command began.
    }
  }
  const auto live = read_live(name);
  const bool runs = live && alive(live->qemu);
  return read_snapshots(name, runs ? live->plan : last_plan(name));
}

Reverted revert_snapshot(const std::string& name, const RevertRequest& request,
                         const SnapshotTelling& telling) {
  Held held(name);
  const auto list = held.list();
  Reverted done;
  done.to = require_whole(name, list, request.tag).note;
  const auto& note = done.to;
  Undertaking undertaking(name, "going back to snapshot " + in_backticks(note.tag), telling);
  if (!held.runs()) {
    if (!request.discard) done.kept = keep_before_revert(name, held.plan(), note, undertaking);
    if (note.kind == SnapshotKind::disks) {
      take_up_stopped(name, note, undertaking);
      return done;
    }
    start_from(name, note, undertaking, {}, telling.interrupted);
    done.runs = done.restarted = true;
    return done;
  }

  const auto why = reason_to_restart(held.vm(), note);
  if (!why.empty() && is_ephemeral(name))
    throw StateError("VM " + in_backticks(name) + " is ephemeral, and cannot be started anew for " +
                     in_backticks(note.tag) + ": " + why);
  if (!why.empty()) telling.say(name + " is started anew: " + why);
  if (!request.discard) {
    done.kept = free_tag(list, before_revert_tag(std::chrono::system_clock::now()));
    auto kept = begin_note(name, held.plan(), done.kept, "kept by a revert");
    kept.kind = SnapshotKind::live;
    const bool detach = request.detach_shares || !note.detached.empty();
    auto blockers = held.vm().blockers(false);
    if (detach) std::erase_if(blockers, [](const auto& each) { return each.share; });
    if (!why.empty() && !blockers.empty() && held.vm().blockers(true).empty()) {
      // Better than nothing, and than no way back at all.
      kept.kind = SnapshotKind::disks;
      telling.say("the disks alone are kept as " + done.kept + ": " + blockers.front().what);
    }
    undertaking.now("saving snapshot " + in_backticks(done.kept));
    try {
      save(held, name, kept, detach, undertaking);
    } catch (Error& error) {
      if (telling.interrupted()) throw;
      throw Error(error).help("`--discard` reverts without keeping what is lost");
    }
    undertaking.now("going back to snapshot " + in_backticks(note.tag));
  }
  done.runs = true;
  if (why.empty()) {
    try {
      load_running(held.vm(), note, undertaking);
    } catch (const qmp::Gone&) {
      held.ended();
      throw_ended(name, "loading snapshot " + in_backticks(note.tag));
    }
    return done;
  }
  done.restarted = true;
  auto work = new_work(SnapshotWork::Kind::take_up, note);
  work.qemu = held.vm().live().qemu;
  write_work(name, work);
  at_step(SnapshotStep::restart_begun);
  held.end();
  at_step(SnapshotStep::restart_ended);
  if (note.kind == SnapshotKind::disks) {
    take_up_stopped(name, note, undertaking);
    at_step(SnapshotStep::restart_applied);
  }
  start_from(name, note, undertaking, {}, telling.interrupted);
  return done;
}

SnapshotEntry delete_snapshot(const std::string& name, const std::string& tag,
                              const SnapshotTelling& telling) {
  Held held(name);
  const auto list = held.list();
  const auto* found = find_entry(list.entries, tag);
  if (found == nullptr) require_whole(name, list, tag);
  auto entry = *found;
  Undertaking undertaking(name, "deleting snapshot " + in_backticks(tag), telling);
  auto work = new_work(SnapshotWork::Kind::remove, entry.note);
  if (held.runs()) work.qemu = held.vm().live().qemu;
  write_work(name, work);
  at_step(SnapshotStep::delete_begun);
  try {
    if (held.runs()) {
      remove_running(held.vm(), entry.note);
    } else {
      remove_stopped(entry.note);
    }
    at_step(SnapshotStep::delete_all_disks);
  } catch (const qmp::Gone&) {
    held.ended();
    return entry;
  } catch (...) {
    // Some disks may have let go of it: it is shown as what it is then.
    remove_work(name);
    throw;
  }
  forget_snapshot(name, tag);
  at_step(SnapshotStep::delete_forgotten);
  remove_work(name);
  if (!held.runs()) tidy_state_image(name);
  return entry;
}

}  // namespace qlaunch
