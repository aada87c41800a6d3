// SPDX-License-Identifier: MIT
#include "vm/state/wake.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "plan/going_on.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/disks_in_use.hpp"
#include "vm/guest_clock.hpp"
#include "vm/journal.hpp"
#include "vm/launch_lock.hpp"
#include "vm/make.hpp"
#include "vm/ports.hpp"
#include "vm/record.hpp"
#include "vm/share/detach.hpp"
#include "vm/start.hpp"
#include "vm/state/state_file.hpp"
#include "vm/state/state_marker.hpp"
#include "vm/state/suspended.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr auto wake_end_patience = std::chrono::seconds(20);

std::string discard_help(const std::string& name) {
  return "`qlaunch up --discard-state " + shell_quote(name) +
         "` starts it anew, as after a power cut: what it had in memory is lost";
}

/// The state that can be gone on from, where there is one.
std::optional<Suspended> usable_state(const std::string& name, const LaunchRequest& request) {
  if (request.discard_state) {
    forget_suspended(name);
    journal(name, "STATE_DISCARDED");
    return std::nullopt;
  }
  auto suspended = read_suspended(name);
  if (!suspended) return std::nullopt;
  const auto changed = changed_disks(*suspended);
  if (changed.empty()) {
    if (file_fact(suspended_state_path(suspended->plan.paths)).size != suspended->bytes)
      throw StateError("the saved state of VM " + in_backticks(name) + " is not whole")
          .help(discard_help(name));
    return suspended;
  }
  if (suspended->resumed_by) {
    // It did go on, and its end was seen by nobody who could have removed the state.
    forget_suspended(name);
    journal(name, "STATE_DISCARDED", Json{{"cause", "a guest went on from it"}}.dump());
    return std::nullopt;
  }
  std::vector<std::string> shown;
  shown.reserve(changed.size());
  for (const auto& path : changed) shown.push_back(in_backticks(path));
  throw StateError("VM " + in_backticks(name) + " was suspended, and since then " +
                   enumerate(shown) + (shown.size() == 1 ? " has" : " have") +
                   " changed: a guest that went on would damage what is there")
      .help("put " + std::string(shown.size() == 1 ? "it" : "them") + " back as before, or")
      .help(discard_help(name));
}

/// What runs on the saved state cannot be something else.
void check_request(const std::string& name, const Record& record, const LaunchRequest& request) {
  const auto refuse = [&](const std::string& what) {
    throw StateError("VM " + in_backticks(name) + " is suspended, and goes on as it was" + what)
        .help("`qlaunch up " + shell_quote(name) + "` lets it go on")
        .help(discard_help(name));
  };
  if (!request.cdrom.empty()) refuse(": it boots no CD now");
  if (!request.settings.empty() && request.settings != record.settings)
    refuse(", with its old settings");
  if (request.profile != record.profile)
    refuse(", from its own profile, " + in_backticks(record.profile));
}

std::vector<ProfileChange> changes_since(const Record& record, const LaunchProgress& progress) {
  try {
    return profile_changes(record);
  } catch (const Error& error) {
    progress.warning(warning_at({}, "what has changed in the profile since then is not known: " +
                                        std::string(error.what())));
    return {};
  }
}

bool is_auto(const Record& record, const PlannedForward& planned) {
  const auto known = record.auto_ports.find(auto_port_key(planned.network, planned.forward));
  return known != record.auto_ports.end() && known->second == planned.forward.host_port;
}

/// The same ports, where they are still free or have to be these.
std::vector<PlannedForward> ports_for(const Suspended& suspended, const Record& record,
                                      const LaunchProgress& progress) {
  auto forwards = suspended.plan.forwards;
  for (auto& planned : forwards) {
    auto& forward = planned.forward;
    if (forward.host_port == 0 || !is_auto(record, planned) ||
        port_free(forward.protocol, forward.host_address, forward.host_port))
      continue;
    progress.warning(warning_at({}, "port " + std::to_string(forward.host_port) +
                                        " is taken meanwhile: another one leads to port " +
                                        std::to_string(forward.guest_port) + " of the guest"));
    forward.host_port = 0;
  }
  return forwards;
}

/// Everything up to a QEMU that waits for the state.
LiveRecord start_waiting(const Plan& plan, Reports& reports, Undo& undo,
                         const std::function<bool()>& interrupted) {
  clear_dead_run(plan.name, plan.paths);
  make_folder(plan.paths.state, undo);
  make_folder(plan.paths.runtime, undo);
  for (const auto& preparation : plan.preparations) make(preparation, {}, undo);
  for (const auto& log : log_files(plan.name)) {
    std::error_code ignored;
    if (log.name != "events" && log.name != "serial") std::filesystem::remove(log.path, ignored);
  }
  reports = start_processes(plan);
  return await_start(plan, reports, interrupted);
}

/// The guest runs when this returns.
void go_on(const LiveRecord& live, Suspended& suspended, const std::function<bool()>& interrupted) {
  load_state(live, {suspended_state_path(suspended.plan.paths)}, interrupted);
  at_step(Step::wake_loaded);
  suspended.resumed_by = live.qemu;
  write_suspended(suspended);
  at_step(Step::wake_marked);
  CommandSocket socket(live);
  auto& client = socket.client();
  client.execute("cont");
  at_step(Step::wake_running);
}

Error with_state_kept(const Error& error, const std::string& name, const std::string& said) {
  Error out(error.diagnostics(), error.code());
  if (!said.empty()) out.help("QEMU said last:\n" + said);
  out.help("the saved state is kept: `qlaunch up " + shell_quote(name) + "` tries again");
  out.help(discard_help(name));
  return out;
}

}  // namespace

std::string suspended_vm(const LaunchRequest& request) {
  if (request.ephemeral) return {};
  if (!request.name.empty()) return is_suspended(request.name) ? request.name : "";
  // A profile may have several VMs: the one that is meant is the one it would start.
  const auto vms = known_vms();
  const bool any = std::any_of(vms.begin(), vms.end(), [&](const std::string& name) {
    if (!is_suspended(name)) return false;
    const auto record = read_record(name);
    return record && record->profile == request.profile;
  });
  if (!any) return {};
  const auto loaded = open_profile(request.profile, request.settings, request.folder);
  auto name = vm_called(loaded.profile.name, request.profile);
  return is_suspended(name) ? name : std::string();
}

std::optional<Launched> wake(const std::string& name, const LaunchRequest& request,
                             const LaunchProgress& progress,
                             const std::function<bool()>& interrupted) {
  const auto paths = vm_paths(state_roots(), name);
  const LaunchLock lock(name, paths);
  if (const auto status = look(name); status.live) {
    // One whose suspender was killed before QEMU had ended is ended by its keeper.
    if (!suspended_by(name, status.live->qemu)) return std::nullopt;
    const auto qemu = open_pidfd(status.live->qemu);
    if (qemu && !wait_exit(qemu.get(), std::chrono::steady_clock::now() + wake_end_patience))
      return std::nullopt;
  }
  const auto record = require_record(name);
  auto suspended = usable_state(name, request);
  if (!suspended) return std::nullopt;
  check_request(name, record, request);

  Launched launched;
  launched.resumed_from = suspended->time;
  launched.changes = changes_since(record, progress);
  const auto shares = detached_from_json(suspended->detached);
  const auto plan =
      without_shares(going_on(suspended->plan, ports_for(*suspended, record, progress)), shares);
  check_ports(plan);
  check_disks(plan);
  progress.step("starting " + plan.qemu.program + " to go on from " + suspended->time);
  Undo undo;
  Reports reports;
  const StateMarker marker(paths, StateMarker::Work::loading);
  try {
    launched.live = start_waiting(plan, reports, undo, interrupted);
    try {
      progress.step("loading the state");
      go_on(launched.live, *suspended, interrupted);
    } catch (...) {
      const auto said = last_lines(log_path(plan.paths, "qemu"), 5);
      abandon_run(launched.live, reports);
      if (suspended->resumed_by) {
        suspended->resumed_by.reset();
        write_suspended(*suspended);
      }
      try {
        throw;
      } catch (const Error& error) {
        throw with_state_kept(error, name, said);
      } catch (const qmp::Error& error) {
        throw with_state_kept(
            Error("QEMU could not load the saved state: " + std::string(error.what())), name, said);
      }
    }
  } catch (const Error& error) {
    if (interrupted()) throw;
    const auto& help = error.diagnostics().front().help;
    if (!help.empty() && help.back() == discard_help(name)) throw;
    throw with_state_kept(error, name, "");
  }
  undo.keep();
  // It runs: what fails from here on is told, and keeps nothing else from being done.
  const auto attempt = [&](const auto& what) {
    try {
      what();
    } catch (const std::exception& error) {
      progress.warning(warning_at({}, error.what()));
    }
  };
  // The saved state is what knows of them till then.
  if (!shares.empty()) attempt([&] { remember_shares(launched.live, shares); });
  forget_suspended(name);
  at_step(Step::wake_forgotten);
  attempt([&] {
    if (learn_ports(launched.live)) write_live(launched.live);
  });
  attempt([&] {
    if (suspended->agent) set_guest_clock(launched.live);
  });
  if (shares.empty()) return launched;
  attempt([&] {
    CommandSocket socket(launched.live);
    attach_shares(launched.live, socket.client(), shares);
  });
  return launched;
}

}  // namespace qlaunch
