// SPDX-License-Identifier: MIT
#include "vm/state/suspend.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "qmp/requests.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/keeper.hpp"
#include "vm/launch_lock.hpp"
#include "vm/operation.hpp"
#include "vm/power_off.hpp"
#include "vm/record.hpp"
#include "vm/share/detach.hpp"
#include "vm/state/state_file.hpp"
#include "vm/state/state_marker.hpp"
#include "vm/state/suspended.hpp"
#include "vm/steps.hpp"
#include "vm/takeover.hpp"

#include <chrono>
#include <csignal>

#include <nlohmann/json.hpp>

#include <poll.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto suspend_tidy_patience = std::chrono::seconds(15);
constexpr auto give_back_patience = std::chrono::seconds(10);
constexpr auto go_on_patience = std::chrono::seconds(20);
constexpr auto patience_with_keeper = std::chrono::seconds(5);
constexpr int between_looks = 10;  // milliseconds
/// Devices, and pages that change while QEMU looks.
constexpr std::uint64_t spare_room = std::uint64_t{16} << 20U;

/// What the guest was like before it was made to stand still.
struct Before {
  bool running = false;
  bool agent = false;
  std::vector<DetachedShare> shares;  // it does not have them now
};

void check_state(const std::string& name, const std::string& state) {
  if (state == "running" || state == "paused") return;
  StateError error("VM " + in_backticks(name) + " is in state " + in_backticks(state) +
                   ": there is nothing that could go on later");
  error.help("`qlaunch reset " + shell_quote(name) + "` starts the guest anew, `qlaunch kill " +
             shell_quote(name) + "` ends it");
  throw error;
}

/// What is made anew at each start is not there when the state goes on.
void check_plan(const LiveRecord& live) {
  const auto& name = live.name;
  if (is_ephemeral(live.plan.paths))
    throw StateError("VM " + in_backticks(name) +
                     " is ephemeral: nothing of it is left when it has ended, and so there is "
                     "nothing to suspend");
  for (const auto& each : live.plan.preparations) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    if (disk == nullptr || !disk->fresh) continue;
    throw StateError("VM " + in_backticks(name) + " cannot be suspended: what it writes to " +
                     in_backticks(disk->base) + " is thrown away at its end")
        .help("leave `ephemeral = true` of that disk out of the profile");
  }
}

void check_space(const LiveRecord& live) {
  const auto usage = process_usage(live.qemu);
  // What the guest never touched takes no room.
  const auto needed = std::min(usage ? usage->resident : live.plan.memory, live.plan.memory);
  const auto there = free_space(live.plan.paths.data);
  if (there >= needed + spare_room) return;
  throw Error("there is not enough space to suspend VM " + in_backticks(live.name) + ": up to " +
              format_size_rounded(needed + spare_room) + " in " +
              in_backticks(live.plan.paths.data) + ", where " + format_size_rounded(there) +
              " are free");
}

void stand_still(qmp::SyncClient& client, const std::string& name) {
  client.execute("stop");
  if (client.call(qmp::query_status()).status == "running")
    throw Error("QEMU did not stop VM " + in_backticks(name));
}

void let_go_on(const LiveRecord& live) {
  CommandSocket(live, go_on_patience).client().execute("cont");
}

void end_qemu(const LiveRecord& live) {
  const auto pidfd = open_pidfd(live.qemu);
  if (!pidfd) return;
  try {
    CommandSocket(live, quit_patience).client().quit();
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // It holds nothing any more that is not on the disk.
  }
  if (!wait_exit(pidfd.get(), Clock::now() + quit_patience)) send_signal(live.qemu, SIGKILL);
  wait_exit(pidfd.get(), Clock::now() + suspend_tidy_patience);
}

void await_keeper(const LiveRecord& live) {
  const auto keeper = open_pidfd(live.keeper);
  if (keeper && wait_exit(keeper.get(), Clock::now() + suspend_tidy_patience)) return;
  tidy_dead_run(live);
}

/// Of a suspend that was killed: its keeper lets the guest go on, and might take this one for that.
/// Where the keeper does not get to it, it is done here.
void settle_what_was_cut_off(const LiveRecord& live) {
  const auto deadline = Clock::now() + patience_with_keeper;
  while (who_marked(live.plan.paths)) {
    CommandSocket socket(live);
    if (socket.client().call(qmp::query_status()).status == "running") return;
    if (Clock::now() > deadline) return settle_state(live, socket.client());
    poll(nullptr, 0, between_looks);
  }
}

bool is_share(const std::string& reason) {
  return reason.find("vhost-user-fs") != std::string::npos ||
         reason.find("VirtFS") != std::string::npos;
}

/// The first failure is the one to tell; what is not given back here, the next command gives back.
void give_back(const LiveRecord& live, const Before& before) {
  if (before.shares.empty() || !alive(live.qemu)) return;
  try {
    put_back_shares(live, give_back_patience);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
  }
}

Suspended describe(const LiveRecord& live, const Before& before, std::uint64_t bytes) {
  Suspended suspended;
  suspended.name = live.name;
  suspended.time = timestamp();
  suspended.bytes = bytes;
  suspended.memory = live.plan.memory;
  suspended.plan = live.plan;
  suspended.plan.forwards = live.forwards;
  suspended.disks = stamp_disks(live.plan);
  suspended.agent = before.agent;
  suspended.detached = detached_to_json(before.shares);
  suspended.saved_by = live.qemu;
  return suspended;
}

/// All but the end of QEMU. Whatever throws, the guest goes on.
std::uint64_t save(const LiveRecord& live, const Before& before, OperationRecord& operation,
                   const SuspendRequest& request) {
  try {
    if (before.running) {
      CommandSocket socket(live, go_on_patience);
      stand_still(socket.client(), live.name);
    }
    at_step(Step::suspend_stopped);
    SaveProgress progress;
    progress.interrupted = request.interrupted;
    progress.bytes = [&](std::uint64_t done, std::uint64_t total) {
      constexpr std::uint64_t whole = 100;
      if (total > 0) operation.progress(static_cast<int>(done * whole / total));
    };
    const auto bytes = save_state(live, {suspended_state_path(live.plan.paths)}, progress);
    if (request.interrupted()) throw Error("interrupted: the state was not saved");
    // QEMU has let go of its disks: they stay as they are now.
    write_suspended(describe(live, before, bytes));
    at_step(Step::suspend_kept);
    return bytes;
  } catch (...) {
    forget_suspended(live.name);
    if (before.running && alive(live.qemu)) let_go_on(live);
    throw;
  }
}

void refuse_blocked(const LiveRecord& live, const std::vector<std::string>& reasons) {
  if (!reasons.empty())
    throw blocked_error("VM " + in_backticks(live.name) + " cannot be suspended now", reasons);
}

/// Nothing that can be known before keeps it from being saved when this returns.
Before make_ready(const LiveRecord& live, bool detach_all) {
  CommandSocket socket(live);
  auto& client = socket.client();
  const auto state = client.call(qmp::query_status()).status;
  check_state(live.name, state);
  Before before{state == "running", agent_listens(client), {}};
  put_back_shares(live, client);
  refuse_detached(live);
  auto reasons = what_blocks_saving(client);
  if (!shares_block(client)) {
    refuse_blocked(live, reasons);
    return before;
  }
  std::erase_if(reasons, is_share);
  refuse_blocked(live, reasons);
  check_space(live);
  before.shares = detach_shares(live, client, detach_all);
  if (before.shares.empty()) refuse_blocked(live, what_blocks_saving(client));
  return before;
}

}  // namespace

std::string suspend_vm(const std::string& name, const SuspendRequest& request) {
  refuse_suspended(name, "there is nothing to save");
  check_plan(require_running(name));
  const LaunchLock lock(name, vm_paths(state_roots(), name));
  // Another command may have suspended it while this one waited.
  refuse_suspended(name, "there is nothing to save");
  settle_what_was_cut_off(require_running(name));
  refuse_suspended(name, "there is nothing to save");
  const auto live = require_running(name);
  const auto begin = Clock::now();
  const auto before = make_ready(live, request.detach_shares);
  try {
    if (!before.shares.empty())
      refuse_blocked(live, what_blocks_saving(CommandSocket(live).client()));
    check_space(live);
    request.step("saving the state of " + in_backticks(name));
    OperationRecord operation(name, "suspending");
    const StateMarker marker(live.plan.paths, StateMarker::Work::saving, before.running);
    at_step(Step::suspend_marked);
    const auto bytes = save(live, before, operation, request);
    end_qemu(live);
    at_step(Step::suspend_ended);
    if (request.wait_for_keeper) await_keeper(live);
    return "suspended; its state takes " + format_size_rounded(bytes) + " (" +
           format_duration(std::max<Duration>(
               std::chrono::duration_cast<Duration>(Clock::now() - begin), Duration(1))) +
           ')';
  } catch (...) {
    give_back(live, before);
    throw;
  }
}

}  // namespace qlaunch
