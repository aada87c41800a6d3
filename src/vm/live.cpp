// SPDX-License-Identifier: MIT
#include "vm/live.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/journal.hpp"
#include "vm/record.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string live_path(const std::string& name) {
  return vm_paths(state_roots(), name).runtime + "/live.json";
}

Json process_to_json(const ProcessId& process) {
  return {{"pid", process.pid}, {"start_time", process.start_time}, {"boot_id", process.boot_id}};
}

ProcessId process_from_json(const Json& json) {
  return {json.at("pid"), json.at("start_time"), json.at("boot_id")};
}

/// QEMU's word for its state to ours.
VmState from_qemu(const std::string& word) {
  if (word == "running") return VmState::running;
  if (word == "prelaunch" || word == "inmigrate") return VmState::starting;
  return VmState::paused;
}

void ask_qemu(VmStatus& status) {
  try {
    CommandSocket socket(*status.live, std::chrono::seconds(2));
    auto& client = socket.client();
    status.qemu_state = client.execute("query-status").at("status").get<std::string>();
    status.state = from_qemu(status.qemu_state);
  } catch (const qmp::Gone&) {
    // It ended while it was asked.
    if (!alive(status.live->qemu)) {
      status.state = VmState::stopped;
      status.live.reset();
    } else {
      status.state = VmState::unresponsive;
    }
  } catch (const qmp::Error&) {
    status.state = VmState::unresponsive;
  } catch (const Error&) {
    status.state = VmState::unresponsive;
  }
}

}  // namespace

std::optional<LiveRecord> read_live(const std::string& name) {
  const auto text = try_read_file(live_path(name), std::size_t{16} << 20);
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    LiveRecord live;
    live.name = json.at("name");
    live.qemu = process_from_json(json.at("qemu"));
    live.keeper = process_from_json(json.at("keeper"));
    for (const auto& helper : json.at("helpers"))
      live.helpers.push_back(
          {helper.at("name"), helper.at("serves"), process_from_json(helper.at("process"))});
    live.started = json.at("started");
    live.plan = plan_from_json(json.at("plan").dump());
    live.forwards = live.plan.forwards;
    return live;
  } catch (const std::exception& error) {
    // Nothing is removed here: a QEMU may run behind it.
    throw Error("the live record of VM " + in_backticks(name) + " cannot be read: " + error.what())
        .help("its file is " + live_path(name) + "; it names the pid of QEMU");
  }
}

void write_live(const LiveRecord& live) {
  auto helpers = Json::array();
  for (const auto& helper : live.helpers)
    helpers.push_back({{"name", helper.name},
                       {"serves", helper.serves},
                       {"process", process_to_json(helper.process)}});
  Plan plan = live.plan;
  plan.forwards = live.forwards;
  const Json json = {{"name", live.name},
                     {"qemu", process_to_json(live.qemu)},
                     {"keeper", process_to_json(live.keeper)},
                     {"helpers", helpers},
                     {"started", live.started},
                     {"plan", Json::parse(plan_to_json(plan))}};
  // It is of no use after a crash of the host: no time is spent on making it survive one.
  write_file_atomic(live_path(live.name), json.dump(-1, ' ', false, Json::error_handler_t::replace),
                    0600, Durability::quick);
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
  }
  return "unknown";
}

VmStatus look(const std::string& name, bool ask) {
  VmStatus status;
  status.name = name;
  status.live = read_live(name);
  if (status.live && !alive(status.live->qemu)) status.live.reset();
  if (!status.live) return status;

  const auto& live = *status.live;
  status.state = VmState::running;
  status.keeper_alive = alive(live.keeper);
  for (const auto& helper : live.helpers) {
    if (!alive(helper.process))
      status.dead_helpers.push_back(helper.name + " has ended: " + helper.serves +
                                    " no longer works");
  }
  if (const auto usage = process_usage(live.qemu)) {
    status.uptime = static_cast<double>(usage->uptime.count()) / 1000;
    status.resident = usage->resident;
  }
  status.accelerator = live.plan.kvm ? "kvm" : "tcg";
  if (ask) {
    const auto record = read_record(name);
    status.needs_restart = record && profile_changed(*record);
  }
  if (ask) ask_qemu(status);
  return status;
}

LiveRecord require_running(const std::string& name) {
  auto live = read_live(name);
  if (live && alive(live->qemu)) return std::move(*live);
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

CommandSocket::CommandSocket(const LiveRecord& live, Duration timeout)
    : state_(
          new State{FileLock(live.plan.paths.runtime + "/qmp.lock"), open_pidfd(live.qemu), {}}) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // QEMU serves one client per socket: without the lock a second command would hear nothing.
  if (!state_->lock.lock(deadline)) {
    const auto holder = state_->lock.holder();
    TimeoutError error(
        "the QMP socket of VM " + in_backticks(live.name) + " is busy" +
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
  state_->client.emplace(qmp->path, options,
                         std::vector<qmp::Watch>{{state_->pidfd.get(), "the QEMU process exited"}});
}

CommandSocket::~CommandSocket() = default;

qmp::SyncClient& CommandSocket::client() {
  return *state_->client;
}

}  // namespace qlaunch
