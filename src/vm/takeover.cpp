// SPDX-License-Identifier: MIT
#include "vm/takeover.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/end.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/process_json.hpp"
#include "vm/report.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/start_list.hpp"
#include "vm/state/suspended.hpp"
#include "vm/steps.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

/// Another command that puts a keeper in place needs milliseconds; one that launches the VM may
/// need long, and does not wait for keepers.
constexpr auto patience_for_others = std::chrono::milliseconds(300);
/// The new keeper writes itself down before it does anything that may take time.
constexpr auto patience_for_keeper = std::chrono::milliseconds(1500);

std::string succession_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/keeper.json";
}

/// The lock of those who start a VM. True where it is held now, or by this very process.
bool hold(FileLock& lock, std::chrono::milliseconds patience) {
  return lock.try_lock() || lock.holder() == getpid() || lock.lock(Clock::now() + patience);
}

std::string own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  // Replaced while it ran: by this link it is the same program all the same.
  return error || access(path.c_str(), X_OK) != 0 ? "/proc/self/exe" : path;
}

SpawnOptions keeper_options(const LiveRecord& live, int report, int lock) {
  SpawnOptions options;
  options.argv = {own_program(), "keeper", live.name, "--report", "3", "--lock", "4"};
  options.descriptors = {{3, report}, {4, lock}};
  options.stdout_path = "/dev/null";
  options.stderr_path = log_path(live.plan.paths, "keeper");
  options.environment = {"NOTIFY_SOCKET"};
  if (const char* home = std::getenv("QLAUNCH_HOME"); home != nullptr && *home != '\0')
    options.environment.push_back("QLAUNCH_HOME=" + std::filesystem::absolute(home).string());
  options.working_folder = "/";
  options.new_session = true;
  options.block_signals = true;
  return options;
}

/// Returns when it has written itself down, or will not any more.
void start_keeper(const LiveRecord& live, const FileLock& lock) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  // It holds the lock, too, so that nobody else starts one should this command end now.
  const auto child = spawn(keeper_options(live, writing.get(), lock.fd()));
  writing.reset();
  const auto deadline = Clock::now() + patience_for_keeper;
  Reports reports(std::move(reading));
  if (reports.next([&] { return Clock::now() >= deadline; })) return;
  kill_and_reap(child);
}

}  // namespace

std::optional<Succession> read_succession(const std::string& name) {
  const auto text = try_read_file(succession_path(name));
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    return Succession{process_from_json(json.at("qemu")),
                      process_from_json(json.at("keeper")),
                      {json.at("from"), json.at("until")}};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void write_succession(const std::string& name, const Succession& succession) {
  const Json json = {{"qemu", process_to_json(succession.qemu)},
                     {"keeper", process_to_json(succession.keeper)},
                     {"from", succession.unwatched.from},
                     {"until", succession.unwatched.until}};
  write_file_atomic(succession_path(name), json.dump(), 0600, Durability::quick);
}

void forget_succession(const std::string& name) {
  std::error_code ignored;
  std::filesystem::remove(succession_path(name), ignored);
}

void take_over(LiveRecord& live) {
  // Without its sockets there is nothing that a keeper could do.
  if (!unreachable(live).empty()) return;
  try {
    FileLock lock(vm_paths(state_roots(), live.name).data + "/lock");
    if (!hold(lock, patience_for_others)) return;
    at_step(Step::takeover_locked);
    auto now = read_live(live.name);
    if (!now || now->qemu != live.qemu) return;
    if (!alive(now->keeper) && alive(now->qemu)) {
      start_keeper(*now, lock);
      now = read_live(live.name);
    }
    if (now && now->qemu == live.qemu) live = std::move(*now);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // The VM goes on without; `status` says so.
  }
}

void tidy_dead_run(const LiveRecord& dead, const std::string& how) {
  try {
    FileLock lock(vm_paths(state_roots(), dead.name).data + "/lock");
    if (!hold(lock, std::chrono::milliseconds(0))) return;
    const auto left = read_live(dead.name);
    if (!left || left->qemu != dead.qemu || alive(left->qemu) || alive(left->keeper)) return;
    for (const auto& helper : left->helpers) send_signal(helper.process, SIGKILL);
    end_ssh(left->plan.paths.runtime);
    settle_overlays(left->plan.paths.data);
    const bool rebooted = !left->qemu.boot_id.empty() && left->qemu.boot_id != boot_id();
    auto end = unseen_end(rebooted, timestamp());
    if (!how.empty()) end.text = how;
    if (suspended_by(dead.name, left->qemu)) {
      SeenEnd seen;
      seen.suspended = true;
      end = describe_end(seen, timestamp());
    }
    try {
      write_end(dead.name, end);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // A full disk; the sockets are to go all the same.
    }
    journal(dead.name, "RUN_LOST", Json{{"reason", end.reason}, {"text", end.text}}.dump());
    remove_tree(left->plan.paths.runtime);
    forget_run(dead.name);
    if (is_ephemeral(left->plan.paths)) remove_ephemeral(left->plan.paths);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // A read-only disk; the next command tries again.
  }
}

void tidy_dead_start(const std::string& name, const std::string& runtime) {
  const auto started = read_start_list(runtime);
  if (started.empty() || alive(started.front())) return;
  try {
    FileLock lock(vm_paths(state_roots(), name).data + "/lock");
    if (!hold(lock, std::chrono::milliseconds(0)) || read_live(name)) return;
    end_start(runtime);
    remove_tree(runtime);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // As above.
  }
}

}  // namespace qlaunch
