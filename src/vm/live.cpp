// SPDX-License-Identifier: MIT
#include "vm/live.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "vm/addresses.hpp"
#include "vm/ask_state.hpp"
#include "vm/found_run.hpp"
#include "vm/journal.hpp"
#include "vm/record.hpp"
#include "vm/share/detach.hpp"
#include "vm/state/suspended.hpp"
#include "vm/takeover.hpp"

#include <algorithm>
#include <filesystem>

namespace qlaunch {

std::string_view state_name(VmState state) {
  switch (state) {
    case VmState::stopped:
      return "stopped";
    case VmState::starting:
      return "starting";
    case VmState::running:
      return "running";
    case VmState::paused:
      return "paused";
    case VmState::unresponsive:
      return "unresponsive";
    case VmState::busy:
      return "busy";
    case VmState::suspended:
      return "suspended";
  }
  return "unknown";
}

namespace {

/// Whether it runs. Where its sockets can be reached, QEMU's own word for its state can be had:
/// then `askable` says so.
VmStatus look_whether_it_runs(const std::string& name, bool& askable) {
  askable = false;
  VmStatus status;
  status.name = name;
  auto [live, qemu_alive, keeper_alive] = find_run(name);
  if (!live) tidy_dead_start(name, vm_paths(state_roots(), name).runtime);
  if (live && !qemu_alive && !keeper_alive) tidy_dead_run(*live);
  if (!qemu_alive) return status;
  if (!keeper_alive) {
    take_over(*live);
    keeper_alive = alive(live->keeper);
  }
  if (auto gone = unreachable(*live); gone.empty()) {
    askable = true;
  } else if (alive(live->qemu)) {
    status.problems.push_back(std::move(gone));
  } else {
    // The folder of a run that has just ended goes, too.
    return look_whether_it_runs(name, askable);
  }
  status.live = std::move(live);
  status.state = VmState::running;
  status.keeper_alive = keeper_alive;
  return status;
}

void note_suspended(VmStatus& status) {
  if (!status.live && is_suspended(status.name)) status.state = VmState::suspended;
}

/// An agent answers at once, or is in another's hands for a moment.
constexpr auto detached_patience = std::chrono::milliseconds(1500);

/// What a command that was cut off has taken from the guest is given back; else it is told.
void look_for_detached(VmStatus& status) {
  const auto shares = shares_left_out(status.name);
  if (shares.empty() || status.operation || status.state != VmState::running) return;
  try {
    put_back_shares(*status.live, detached_patience);
  } catch (const std::exception& error) {
    status.problems.push_back("the guest does not have " + shares +
                              " since a snapshot was cut off: " + error.what());
  }
}

/// What can be had without QEMU.
void look_around(VmStatus& status, bool ask) {
  const auto& name = status.name;
  const auto& live = *status.live;
  for (const auto& helper : live.helpers) {
    if (alive(helper.process)) continue;
    const auto how = helper_exit(name, helper.name, live.started);
    status.problems.push_back(helper.name + " has ended" + (how.empty() ? "" : " (" + how + ')') +
                              ": " + helper.serves +
                              " no longer works until the VM is started anew");
  }
  for (const auto& share : live.plan.shares) {
    if (ask && file_fact(share.path).kind != FileFact::Kind::folder)
      status.problems.push_back("the folder of share " + in_backticks(share.tag) + ", " +
                                in_backticks(share.path) + ", is not there any more");
  }
  if (const auto usage = process_usage(live.qemu)) {
    status.uptime = static_cast<double>(usage->uptime.count()) / 1000;
    status.resident = usage->resident;
  }
  status.accelerator = live.plan.kvm ? "kvm" : "tcg";
  if (!ask) return;
  status.record = read_record(name);
  status.needs_restart = status.record && profile_changed(*status.record);
  const auto panic = panic_time(name, live.started);
  if (!panic.empty())
    status.problems.push_back("the guest panicked at " + panic + "; it does nothing any more");
}

/// Whose command holds the socket is not asked: it would not answer, and what it does is known.
void look_for_operation(VmStatus& status, bool& askable) {
  status.operation = operation_under_way(status.name);
  if (!status.operation) return;
  if (status.operation->orphaned && !status.live) status.operation.reset();
  if (!status.operation || status.operation->orphaned || !status.live) return;
  status.state = VmState::busy;
  askable = false;
}

/// A QEMU that answers is not at what a killed command began.
void settle_operation(VmStatus& status) {
  if (!status.operation || !status.operation->orphaned) return;
  if (status.state == VmState::unresponsive) {
    status.state = VmState::busy;
  } else {
    status.operation.reset();
  }
}

}  // namespace

VmStatus look(const std::string& name, bool ask) {
  bool askable = false;
  auto status = look_whether_it_runs(name, askable);
  if (ask) look_for_operation(status, askable);
  if (!status.live) {
    note_suspended(status);
    return status;
  }
  StateQuestions questions;
  // Where addresses were told nobody needs to know whether there is an agent to ask.
  status.ask_agent = ask && !read_addresses(*status.live);
  // QEMU thinks about its answer while this process reads files.
  if (ask && askable) questions.ask(status);
  look_around(status, ask);
  questions.finish();
  settle_operation(status);
  note_suspended(status);
  if (ask) look_for_detached(status);
  return status;
}

std::vector<std::optional<VmStatus>> look_all(
    const std::vector<std::string>& names,
    const std::function<void(const std::string&, const Error&)>& problem) {
  std::vector<std::optional<VmStatus>> all(names.size());
  std::vector<bool> left_out(names.size());
  StateQuestions questions;
  for (std::size_t index = 0; index < names.size(); ++index) {
    try {
      bool askable = false;
      all[index] = look_whether_it_runs(names[index], askable);
      look_for_operation(*all[index], askable);
      if (askable) questions.ask(*all[index]);
    } catch (const Error& error) {
      problem(names[index], error);
    }
  }
  for (std::size_t index = 0; index < names.size(); ++index) {
    try {
      if (all[index] && all[index]->live) look_around(*all[index], true);
    } catch (const Error& error) {
      problem(names[index], error);
      left_out[index] = true;
    }
  }
  questions.finish();
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (left_out[index]) all[index].reset();
    if (!all[index]) continue;
    settle_operation(*all[index]);
    note_suspended(*all[index]);
  }
  return all;
}

LiveRecord require_running(const std::string& name) {
  auto live = read_live(name);
  if (live && alive(live->qemu)) {
    if (!alive(live->keeper)) take_over(*live);
    return std::move(*live);
  }
  if (live && !alive(live->keeper)) tidy_dead_run(*live);
  refuse_suspended(name, "does not run");
  StateError error("VM " + in_backticks(name) + " does not run");
  if (const auto end = read_end(name)) error.help("it ended at " + end->time + ": " + end->text);
  error.help("`qlaunch up " + shell_quote(name) + "` starts it");
  throw error;
}

}  // namespace qlaunch
