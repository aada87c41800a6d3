// SPDX-License-Identifier: MIT
#include "vm/live.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/ask_state.hpp"
#include "vm/journal.hpp"
#include "vm/process_json.hpp"
#include "vm/record.hpp"
#include "vm/suspended.hpp"
#include "vm/takeover.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string live_path(const std::string& name) {
  return vm_paths(state_roots(), name).runtime + "/live.json";
}

std::string lasting_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/run.json";
}

std::string text_of(const LiveRecord& live) {
  auto helpers = Json::array();
  for (const auto& helper : live.helpers)
    helpers.push_back({{"name", helper.name},
                       {"serves", helper.serves},
                       {"process", process_to_json(helper.process)}});
  Plan plan = live.plan;
  plan.forwards = live.forwards;
  Json json = {{"name", live.name},
               {"qemu", process_to_json(live.qemu)},
               {"keeper", process_to_json(live.keeper)},
               {"helpers", helpers},
               {"started", live.started},
               {"plan", plan_to_json(plan)}};
  if (live.unwatched)
    json["unwatched"] = {{"from", live.unwatched->from}, {"until", live.unwatched->until}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

LiveRecord from_text(const std::string& text) {
  const auto json = Json::parse(text);
  LiveRecord live;
  live.name = json.at("name");
  live.qemu = process_from_json(json.at("qemu"));
  live.keeper = process_from_json(json.at("keeper"));
  for (const auto& helper : json.at("helpers"))
    live.helpers.push_back(
        {helper.at("name"), helper.at("serves"), process_from_json(helper.at("process"))});
  live.started = json.at("started");
  // As text in the text: read once, and not twice. Another version had it as an object.
  const auto& plan = json.at("plan");
  live.plan = plan_from_json(plan.is_string() ? plan.get_ref<const std::string&>() : plan.dump());
  live.forwards = live.plan.forwards;
  if (const auto gap = json.find("unwatched"); gap != json.end())
    live.unwatched = {gap->at("from"), gap->at("until")};
  return live;
}

std::optional<std::string> try_read(const std::string& path) {
  return try_read_file(path, std::size_t{16} << 20);
}

std::optional<LiveRecord> read_copy(const std::string& name, const std::string& path) {
  const auto text = try_read(path);
  if (!text) return std::nullopt;
  try {
    return from_text(*text);
  } catch (const std::exception& error) {
    // Nothing is removed here: a QEMU may run behind it.
    throw Error("the live record of VM " + in_backticks(name) + " cannot be read: " + error.what())
        .help("its file is " + path + "; it names the pid of QEMU");
  }
}

std::optional<LiveRecord> read_lasting(const std::string& name) {
  const auto path = lasting_path(name);
  const auto text = try_read(path);
  if (!text) return std::nullopt;
  // It outlives a crash of the host, which may have cut it off; nothing runs behind it then.
  try {
    if (!alive(process_from_json(Json::parse(*text).at("qemu")))) return from_text(*text);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return read_copy(name, path);
}

/// A run, and who of it lives: each look costs a read of /proc.
struct FoundRun {
  std::optional<LiveRecord> live;
  bool qemu_alive = false;
  bool keeper_alive = false;
};

FoundRun find_run(const std::string& name) {
  FoundRun run;
  auto& live = run.live;
  live = read_copy(name, live_path(name));
  run.qemu_alive = live && alive(live->qemu);
  if (!run.qemu_alive) {
    auto kept = read_lasting(name);
    const bool kept_alive = kept && alive(kept->qemu);
    if (kept && (!live || kept_alive)) {
      live = std::move(kept);
      run.qemu_alive = kept_alive;
    }
  }
  run.keeper_alive = live && alive(live->keeper);
  if (live && !run.keeper_alive) {
    if (auto heir = read_succession(name); heir && heir->qemu == live->qemu) {
      live->keeper = heir->keeper;
      live->unwatched = std::move(heir->unwatched);
      run.keeper_alive = alive(live->keeper);
    }
  }
  return run;
}

}  // namespace

std::optional<LiveRecord> read_live(const std::string& name) {
  return find_run(name).live;
}

void write_live(const LiveRecord& live) {
  // Where the run is, whatever this process's own environment says.
  // It is of no use after a crash of the host: no time is spent on making it survive one.
  write_file_atomic(live.plan.paths.runtime + "/live.json", text_of(live), 0600, Durability::quick);
  remember_run(live);
}

void remember_run(const LiveRecord& live) {
  try {
    write_file_atomic(live.plan.paths.data + "/run.json", text_of(live), 0600, Durability::quick);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // It is a second copy.
  }
}

void forget_run(const std::string& name) {
  std::error_code ignored;
  std::filesystem::remove(lasting_path(name), ignored);
  forget_succession(name);
}

std::string unreachable(const LiveRecord& live) {
  const auto* qmp = live.plan.descriptor("qmp");
  std::error_code ignored;
  const auto gone = [&](const std::string& path) {
    return !std::filesystem::exists(path, ignored);
  };
  const auto& folder = live.plan.paths.runtime;
  if (gone(folder))
    return "its runtime folder " + in_backticks(folder) + " is gone: its sockets cannot be reached";
  if (qmp != nullptr && gone(qmp->path))
    return "its socket " + in_backticks(qmp->path) + " is gone: it cannot be asked";
  return {};
}

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
  // QEMU thinks about its answer while this process reads files.
  if (ask && askable) questions.ask(status);
  look_around(status, ask);
  questions.finish();
  settle_operation(status);
  note_suspended(status);
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

struct CommandSocket::State {
  FileLock lock;
  UniqueFd pidfd;
  std::optional<qmp::SyncClient> client;
};

namespace {

FileLock command_lock(const LiveRecord& live) {
  try {
    if (const auto gone = unreachable(live); !gone.empty())
      throw StateError("VM " + in_backticks(live.name) + " runs, but " + gone)
          .help("`qlaunch kill " + shell_quote(live.name) + "` ends it all the same");
    return FileLock(live.plan.paths.runtime + "/qmp.lock");
  } catch (const Error&) {
    // The folder goes when the VM has ended.
    if (!alive(live.qemu)) throw qmp::Gone("QEMU has ended", "the QEMU process exited");
    throw;
  }
}

}  // namespace

CommandSocket::CommandSocket(const LiveRecord& live, Duration timeout)
    : state_(new State{command_lock(live), open_pidfd(live.qemu), {}}) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // QEMU serves one client per socket: without the lock a second command would hear nothing.
  if (!state_->lock.lock(deadline)) {
    const auto holder = state_->lock.holder();
    const auto operation = operation_under_way(live.name);
    TimeoutError error(
        (operation ? "VM " + in_backticks(live.name) + " is busy, " + operation_text(*operation)
                   : "the QMP socket of VM " + in_backticks(live.name) + " is busy") +
        (holder ? ": held by " + process_name(*holder) + " (pid " + std::to_string(*holder) + ")"
                : ""));
    error.help("try again when the other command is done");
    throw error;
  }
  const auto* qmp = live.plan.descriptor("qmp");
  if (qmp == nullptr) throw Error("VM " + in_backticks(live.name) + " has no command socket");
  if (!state_->pidfd) throw qmp::Gone("QEMU has ended", "the QEMU process exited");
  qmp::Options options;
  options.greeting = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  deadline - std::chrono::steady_clock::now()),
                              std::chrono::milliseconds(100));
  options.reply = options.greeting;
  try {
    state_->client.emplace(
        qmp->path, options,
        std::vector<qmp::Watch>{{state_->pidfd.get(), "the QEMU process exited"}});
  } catch (const qmp::Timeout&) {
    if (!stopped(live.qemu)) throw;
    const auto pid = std::to_string(live.qemu.pid);
    throw qmp::Busy("its process (pid " + pid + ") is stopped; `kill -CONT " + pid +
                    "` lets it go on");
  }
}

CommandSocket::~CommandSocket() = default;

qmp::SyncClient& CommandSocket::client() {
  return *state_->client;
}

}  // namespace qlaunch
