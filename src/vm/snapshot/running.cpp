// SPDX-License-Identifier: MIT
// Snapshots of a VM whose QEMU runs and is held: made, loaded, and settled after a cut.
#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/process.hpp"
#include "image/internal_snapshots.hpp"
#include "qmp/job.hpp"
#include "vm/agent_socket.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/guest_clock.hpp"
#include "vm/share/detach.hpp"
#include "vm/snapshot/parts.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/steps.hpp"
#include "vm/snapshot/told.hpp"
#include "vm/ssh_connection.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

/// How long an agent may take: on a busy host a guest that has just gone back is slow.
constexpr auto freeze_patience = std::chrono::seconds(20);
constexpr auto clock_patience = std::chrono::seconds(4);
constexpr int clock_attempts = 4;

/// The guest's file systems written out and held, while this lives.
class Frozen {
 public:
  explicit Frozen(const LiveRecord& live) : live_(live) {
    const auto* socket = live.plan.descriptor("agent");
    if (socket == nullptr) return;
    try {
      call("guest-fsfreeze-freeze");
      done_ = true;
    } catch (const qmp::Refused&) {
      // The agent undoes what it has begun.
    } catch (const std::exception&) {
      // It may have frozen all the same.
      thaw();
    }
  }
  ~Frozen() {
    if (done_) thaw();
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

  bool done() const { return done_; }
  /// False where the guest did not confirm it.
  bool thaw() {
    done_ = false;
    for (int attempt = 0; attempt < 3; ++attempt) {
      try {
        call("guest-fsfreeze-thaw");
        return true;
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
        // Whatever it was: a guest that stays frozen is worse than a third try.
      }
    }
    return false;
  }

 private:
  void call(const char* command) {
    qmp::AgentOptions options;
    options.reply = freeze_patience;
    AgentSocket socket(live_, freeze_patience, options);
    socket.agent().execute(command);
  }

  const LiveRecord& live_;
  bool done_ = false;
};

/// What a save that failed has left; the guest goes on as it did before.
void undo_save(LiveSnapshots& vm, const SnapshotNote& note, bool ran) {
  remove_running(vm, note);
  vm.forget_jobs();
  // A full disk may have stopped the guest: what the save has taken is given back first.
  if (note.kind == SnapshotKind::live && vm.detach_state_image()) tidy_state_image(vm.live().name);
  if (ran) vm.go_on();
  remove_tree(tpm_copy_path(vm.live().name, note.tag));
  remove_work(vm.live().name);
}

void save_disks(LiveSnapshots& vm, SnapshotWork& work, Undertaking& undertaking) {
  const bool agent = work.note.guest == GuestThen::running && vm.agent();
  work.freezes = agent;
  write_work(vm.live().name, work);
  at_step(SnapshotStep::save_begun);
  if (!agent) return vm.save_disks(work.note.tag);
  Frozen frozen(vm.live());
  work.note.frozen = frozen.done();
  vm.save_disks(work.note.tag);
  if (frozen.done() && !frozen.thaw())
    undertaking.say("the guest of " + in_backticks(vm.live().name) +
                    " did not confirm that its file systems are thawed again");
}

}  // namespace

void remove_running(LiveSnapshots& vm, const SnapshotNote& note) {
  std::vector<std::string> nodes;
  for (const auto& member : note.members) {
    if (find_snapshot(read_internal_snapshots(written_now(member.path)), note.tag) == nullptr)
      continue;
    const bool state = member.name == "state";
    // By its name: since a clone of the running VM the disk is written through another node.
    const auto written = std::find_if(vm.nodes().begin(), vm.nodes().end(), [&](const auto& node) {
      return node.name == member.name && node.path == member.path;
    });
    if (!state && written == vm.nodes().end()) {
      // Of a machine that it is not any more.
      delete_internal_snapshot(member.path, note.tag);
      continue;
    }
    if (state) vm.attach_state_image();
    nodes.push_back(state ? member.node : written->node);
  }
  if (!nodes.empty()) vm.remove(note.tag, nodes);
}

SnapshotNote save_running(LiveSnapshots& vm, SnapshotNote note, Undertaking& undertaking) {
  const auto& live = vm.live();
  const bool whole = note.kind == SnapshotKind::live;
  if (const auto blockers = vm.blockers(!whole); !blockers.empty())
    throw blocked(live.name, blockers, !whole);
  const bool ran = vm.state() == "running";
  note.guest = ran ? GuestThen::running : GuestThen::paused;
  note.agent = vm.agent();
  for (const auto& node : vm.nodes()) {
    note.members.push_back({node.name, node.node, node.path});
    require_space(node.path, mib);
  }
  if (whole) {
    require_space(state_image_path(live.name), vm.expected_size());
    vm.attach_state_image();
    note.members.push_back({"state", "state", state_image_path(live.name)});
  }
  if (note.members.empty())
    throw StateError("VM " + in_backticks(live.name) + " has no disk that is written to");
  const auto tpm = tpm_folder(live.plan);
  note.tpm = !tpm.empty();
  auto work = new_work(SnapshotWork::Kind::make, note);
  work.qemu = live.qemu;
  work.job = job_name("save");
  try {
    if (whole) {
      write_work(live.name, work);
      at_step(SnapshotStep::save_begun);
      undertaking.record().in_qemu(live.qemu);
      vm.save(note.tag, work.job, undertaking.percent());
      work.note.provision = provision_to_keep(live.plan.provision_log);
    } else {
      save_disks(vm, work, undertaking);
    }
    if (note.tpm) copy_tpm(live.name, note, tpm);
    at_step(SnapshotStep::save_saved);
    if (undertaking.interrupted()) throw Error("interrupted: the snapshot was undone");
    auto done = finish_making(live.name, work);
    at_step(SnapshotStep::save_recorded);
    remove_work(live.name);
    return done;
  } catch (const qmp::Gone&) {
    // QEMU has ended: whoever holds the VM's name settles what is left.
    throw;
  } catch (const qmp::JobFailed& error) {
    undo_save(vm, note, ran);
    throw Error("QEMU could not save the snapshot " + in_backticks(note.tag) + " of VM " +
                in_backticks(live.name) + ": " + error.reason())
        .help("nothing of it is left, and the VM goes on as it was");
  } catch (const qmp::Refused& error) {
    undo_save(vm, note, ran);
    throw Error("QEMU does not make the snapshot " + in_backticks(note.tag) + " of VM " +
                in_backticks(live.name) + ": " + error.desc());
  } catch (const Error&) {
    undo_save(vm, note, ran);
    throw;
  }
}

void load_running(LiveSnapshots& vm, const SnapshotNote& note, Undertaking& undertaking, bool own) {
  const auto& live = vm.live();
  const auto shares = detached_from_json(note.detached);
  if (!shares.empty()) drop_shares(live, vm.client(), shares);
  vm.attach_state_image();
  vm.wake_from_the_dead();
  auto work = new_work(SnapshotWork::Kind::take_up, note);
  work.qemu = live.qemu;
  work.job = job_name("load");
  work.holds = note.guest == GuestThen::paused && vm.state() == "running";
  write_work(live.name, work);
  if (work.holds) vm.hold();
  at_step(SnapshotStep::load_begun);
  undertaking.record().in_qemu(live.qemu);
  try {
    vm.load(note.tag, work.job);
  } catch (const qmp::JobFailed& error) {
    vm.forget_jobs();
    remove_work(live.name);
    Error failed("QEMU could not load the snapshot " + in_backticks(note.tag) + " of VM " +
                 in_backticks(live.name) + ": " + error.reason());
    if (own)
      throw failed.help("the VM does not run; `qlaunch snapshot list " + shell_quote(live.name) +
                        "` shows what it can go back to");
    throw failed.help("the VM stands still, its memory may be neither the old nor the new")
        .help("`qlaunch kill " + shell_quote(live.name) + "` and `qlaunch up --from TAG " +
              shell_quote(live.name) + "` start it from a snapshot in a new QEMU");
  }
  // The guest that goes on knows nothing of them: who uses one would wait for ever.
  end_ssh(live.plan.paths.runtime);
  at_step(SnapshotStep::load_loaded);
  // Before the guest goes on, and says more.
  try {
    take_up_provision(live.plan.provision_log, note);
  } catch (const Error& error) {
    undertaking.say(error.what());
  }
  set_current_tag(live.name, note.tag);
  if (note.guest == GuestThen::running) vm.go_on();
  at_step(SnapshotStep::load_recorded);
  remove_work(live.name);
  vm.forget_jobs();
  if (!shares.empty()) {
    try {
      vm.await_agent();
      attach_shares(live, vm.client(), shares);
    } catch (const qmp::Gone&) {
      throw;
    } catch (const std::exception& error) {
      undertaking.say(error.what());
    }
  }
  // It thinks that no time has passed.
  if (note.guest != GuestThen::running || !note.agent) return;
  ClockSet set;
  // What is said to an agent while QEMU brings its port back may never reach it: it is said again.
  for (int attempt = 0; !set.done && attempt < clock_attempts && vm.await_agent(); ++attempt)
    set = set_guest_clock(live, clock_patience);
  if (!set.done)
    undertaking.say("the clock of the guest of " + in_backticks(live.name) + " is not set" +
                    (set.why.empty() ? "" : ": " + set.why));
}

namespace {

void settle_load(LiveSnapshots& vm, const SnapshotWork& work) {
  const auto& name = vm.live().name;
  const auto& note = work.note;
  const bool same = work.qemu && *work.qemu == vm.live().qemu;
  if (same && work.job.empty() && note.kind == SnapshotKind::live && vm.state() == "prelaunch") {
    // This QEMU was started for it.
    const SnapshotTelling nobody;
    Undertaking undertaking(name, "loading snapshot " + in_backticks(note.tag), nobody);
    return load_running(vm, note, undertaking);
  }
  if (same && !work.job.empty()) {
    const auto outcome = vm.outcome(work.job);
    if (outcome && outcome->empty()) {
      take_up_provision(vm.live().plan.provision_log, note);
      set_current_tag(name, note.tag);
    }
    const bool loaded = outcome ? outcome->empty() : current_tag(name) == note.tag;
    if (loaded) end_ssh(vm.live().plan.paths.runtime);
    if (loaded && note.guest == GuestThen::running) vm.go_on();
    // It was held for what then did not come.
    if (!outcome && !loaded && work.holds) vm.go_on();
  }
  remove_work(name);
  vm.forget_jobs();
}

}  // namespace

void settle_running(LiveSnapshots& vm) {
  const auto& name = vm.live().name;
  const auto work = read_work(name);
  if (!work) return;
  const auto& note = work->note;
  switch (work->kind) {
    case SnapshotWork::Kind::make:
      if (work->freezes) Frozen(vm.live()).thaw();
      if (all_have_it(vm.live().name, note)) {
        finish_making(name, *work);
        vm.forget_jobs();
        remove_work(name);
      } else {
        undo_save(vm, note, note.guest == GuestThen::running);
      }
      return;
    case SnapshotWork::Kind::take_up:
      settle_load(vm, *work);
      return;
    case SnapshotWork::Kind::remove:
      remove_running(vm, note);
      forget_snapshot(name, note.tag);
      remove_work(name);
      return;
  }
}

}  // namespace qlaunch
