// SPDX-License-Identifier: MIT
#include "vm/control.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "vm/keeper.hpp"
#include "vm/live.hpp"
#include "vm/power_off.hpp"
#include "vm/record.hpp"
#include "vm/takeover.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto tidy_patience = std::chrono::seconds(15);
/// Who says `kill` has waited already; one that is well answers in milliseconds.
constexpr auto kill_patience = std::chrono::seconds(1);

/// Waits for the keeper, which tidies up; does so itself where there is none any more.
std::string after_the_end(const LiveRecord& live, std::string text) {
  const auto keeper = open_pidfd(live.keeper);
  if (keeper && !wait_exit(keeper.get(), Clock::now() + tidy_patience)) return text;
  // Nothing is left to do where the keeper has done its work.
  tidy_dead_run(live, text);
  const auto end = read_end(live.name);
  return end && end->time >= live.started ? end->text : text;
}

/// True where QEMU has ended by the deadline.
bool power_down(const LiveRecord& live, int pidfd, Clock::time_point deadline) {
  for (bool first = true;; first = false) {
    try {
      if (ask_to_power_off(live, first, deadline) == Asked::off_long) {
        // A `reboot` was killed half-way: the guest has done its part.
        CommandSocket(live, quit_patience).client().quit();
      }
    } catch (const qmp::Gone&) {
      // It is on its way out.
      return wait_exit(pidfd, deadline);
    } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
      // The next press may come at a better moment.
    } catch (const TimeoutError&) {
      // Another command holds the socket, and gives it back some time.
      if (Clock::now() >= deadline) throw;
      continue;
    }
    if (wait_exit(pidfd, std::min<Clock::time_point>(deadline, Clock::now() + press_again)))
      return true;
    if (Clock::now() >= deadline) return false;
  }
}

/// A guest waits for its files for ever, also when it powers off.
std::string dead_share(const LiveRecord& live) {
  for (const auto& helper : live.helpers) {
    if (!helper.name.starts_with("virtiofsd") || alive(helper.process)) continue;
    return helper.name + " has ended: where the guest uses " + helper.serves +
           ", that may be what keeps it from powering off";
  }
  return {};
}

/// `answer`: how long QEMU may take to listen. One that is stopped by a signal never does.
void end_by_force(const LiveRecord& live, int pidfd, Duration answer) {
  auto patience = Clock::duration::zero();
  try {
    if (stopped(live.qemu)) throw Error("its process is stopped");
    CommandSocket socket(live, answer);
    socket.client().quit();
    patience = quit_patience;
  } catch (const qmp::Gone&) {
    patience = quit_patience;
  } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
    // It does not answer; SIGKILL needs no answer.
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // The socket is gone, or another command holds it; SIGKILL needs none.
  }
  if (wait_exit(pidfd, Clock::now() + patience)) return;
  send_signal(live.qemu, SIGKILL);
  if (wait_exit(pidfd, Clock::now() + tidy_patience)) return;
  TimeoutError error("QEMU of VM " + in_backticks(live.name) + " (pid " +
                     std::to_string(live.qemu.pid) + ") was killed but has not ended yet");
  error.help("it waits for the host's kernel, most often for a disk or a network share");
  throw error;
}

}  // namespace

std::string shutdown_vm(const std::string& name, const ShutdownRequest& request) {
  const auto live = require_running(name);
  const auto pidfd = open_pidfd(live.qemu);
  if (!pidfd) return after_the_end(live, "it had ended already");
  const auto timeout = request.timeout.count() > 0 ? request.timeout : live.plan.shutdown.timeout;
  request.step("asking the guest of " + in_backticks(name) + " to power off");
  bool ended = false;
  try {
    ended = power_down(live, pidfd.get(), Clock::now() + timeout);
  } catch (const Error&) {
    if (!request.force) throw;
  } catch (const qmp::Error&) {
    if (!request.force) throw;
  }
  if (!ended) {
    if (!request.force) {
      TimeoutError error("the guest of " + in_backticks(name) + " did not power off within " +
                         format_duration(timeout) + "; it still runs");
      error.help("`qlaunch console " + shell_quote(name) + "` shows what it does");
      if (const auto dead = dead_share(live); !dead.empty()) error.help(dead);
      error.help("`--timeout` waits longer, `--force` ends it without its consent");
      throw error;
    }
    request.step("it did not; ending QEMU");
    end_by_force(live, pidfd.get(), quit_patience);
  }
  return after_the_end(live, ended ? "the guest powered off" : "ended by force");
}

std::string kill_vm(const std::string& name) {
  const auto live = require_running(name);
  const auto pidfd = open_pidfd(live.qemu);
  if (pidfd) end_by_force(live, pidfd.get(), kill_patience);
  return after_the_end(live, "ended by force");
}

}  // namespace qlaunch
