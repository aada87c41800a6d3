// SPDX-License-Identifier: MIT
#include "vm/power.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/paths.hpp"
#include "qmp/message.hpp"
#include "qmp/requests.hpp"
#include "vm/file_watch.hpp"
#include "vm/guest_clock.hpp"
#include "vm/keeper.hpp"
#include "vm/live.hpp"
#include "vm/power_off.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/state/suspended.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include <poll.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long QEMU may take to answer: it does so in milliseconds, or it hangs.
constexpr auto patience = std::chrono::seconds(5);
/// How long QEMU may take to carry out what it has agreed to.
constexpr auto effect_patience = std::chrono::seconds(10);

/// QEMU goes on from these only after a reset.
bool needs_reset(const std::string& state) {
  return state == "shutdown" || state == "internal-error";
}

void tell_shutdown_action(qmp::SyncClient& client, const char* action) {
  const nlohmann::json arguments = {{"shutdown", action}};
  client.execute("set-action", arguments);
}

/// The reply only says that a reset was asked for.
void reset(qmp::SyncClient& client, const std::string& name) {
  client.discard_events();
  client.execute("system_reset");
  if (client.wait_event({"RESET"}, effect_patience)) return;
  throw TimeoutError("QEMU did not reset VM " + in_backticks(name));
}

/// From the state `shutdown` (or another that needs it) to a guest that boots.
void start_anew(qmp::SyncClient& client, const std::string& name) {
  reset(client, name);
  tell_shutdown_action(client, "poweroff");
  client.execute("cont");
}

/// QEMU stays when the guest powers off, while this lives.
class StayAtShutdown {
 public:
  StayAtShutdown(const LiveRecord& live, qmp::SyncClient& client) : live_(live) {
    tell_shutdown_action(client, "pause");
  }
  ~StayAtShutdown() {
    if (done_) return;
    try {
      CommandSocket socket(live_, std::chrono::seconds(2));
      tell_shutdown_action(socket.client(), "poweroff");
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // It has ended or hangs. `shutdown` and `reset` know what to do with a guest that is off.
    }
  }
  StayAtShutdown(const StayAtShutdown&) = delete;
  StayAtShutdown& operator=(const StayAtShutdown&) = delete;

  void done() { done_ = true; }

 private:
  const LiveRecord& live_;
  bool done_ = false;
};

/// True once the guest is off, false at the deadline. Only QEMU's state tells it, and the command
/// socket is for others, too: it is asked whenever the keeper has written down an event.
bool await_off(const LiveRecord& live, int pidfd, const RebootRequest& request,
               Clock::time_point deadline) {
  // Where there is no keeper, and for Ctrl-C.
  constexpr int look_again = 500;
  FileWatch journal(live.plan.paths.state + "/events.jsonl");
  auto press_at = Clock::time_point::min();
  for (bool first = true;;) {
    if (Clock::now() >= press_at) {
      if (ask_to_power_off(live, first, deadline) == Asked::off_long) return true;
      first = false;
      press_at = Clock::now() + press_again;
    }
    std::array<pollfd, 2> fds{{{pidfd, POLLIN, 0}, {journal.fd(), POLLIN, 0}}};
    poll(fds.data(), fds.size(), look_again);
    if (fds[0].revents != 0)
      throw StateError("VM " + in_backticks(live.name) + " ended instead of rebooting");
    if (request.interrupted())
      throw Error("interrupted: the guest of " + in_backticks(live.name) +
                  " was asked to power off, and may still do so");
    journal.clear();
    {
      CommandSocket socket(live, effect_patience);
      if (socket.client().call(qmp::query_status()).status == "shutdown") return true;
    }
    if (Clock::now() >= deadline) return false;
  }
}

}  // namespace

std::string pause_vm(const std::string& name) {
  const auto live = require_running(name);
  CommandSocket socket(live, patience);
  auto& client = socket.client();
  const auto before = client.call(qmp::query_status()).status;
  if (before == "paused" || before == "prelaunch") return "paused already";
  if (before != "running") return "does not run on: it is in state " + in_backticks(before);
  client.execute("stop");
  const auto after = client.call(qmp::query_status()).status;
  if (after != "running") return "paused";
  throw Error("QEMU did not pause VM " + in_backticks(name));
}

std::string resume_vm(const std::string& name) {
  const auto live = require_running(name);
  const auto quoted = shell_quote(name);
  bool agent = false;
  {
    CommandSocket socket(live, patience);
    auto& client = socket.client();
    const auto state = client.call(qmp::query_status()).status;
    if (state == "running") return "runs already";
    if (needs_reset(state)) {
      StateError error(state == "shutdown" ? "the guest of " + in_backticks(name) +
                                                 " has powered off: there is nothing to resume"
                                           : "QEMU has stopped VM " + in_backticks(name) +
                                                 " for an error of its own and cannot resume it");
      error.help("`qlaunch reset " + quoted + "` starts the guest anew");
      error.help("`qlaunch kill " + quoted + "` ends the VM");
      throw error;
    }
    // A suspend was cut off when the state was whole already: it is void once the guest goes on.
    if (state == "postmigrate") forget_suspended(name);
    // `cont` would leave a guest that went to sleep asleep.
    client.execute(state == "suspended" ? "system_wakeup" : "cont");
    if (client.call(qmp::query_status()).status != "running")
      // What had stopped it (a full disk) stopped it again.
      throw Error("VM " + in_backticks(name) + " was resumed and stopped again at once, in state " +
                  in_backticks(client.call(qmp::query_status()).status))
          .help("`qlaunch events " + quoted + "` tells why");
    agent = agent_listens(client);
  }
  return agent && set_guest_clock(live).done ? "runs again, its clock set" : "runs again";
}

std::string reset_vm(const std::string& name) {
  const auto live = require_running(name);
  CommandSocket socket(live, patience);
  auto& client = socket.client();
  const auto state = client.call(qmp::query_status()).status;
  if (needs_reset(state)) {
    start_anew(client, name);
    end_ssh(live.plan.paths.runtime);
    return "reset, and runs again";
  }
  reset(client, name);
  // The guest that boots now knows of none of them, and would not end them.
  end_ssh(live.plan.paths.runtime);
  return state == "running" ? "reset" : "reset, and still paused";
}

std::string reboot_vm(const std::string& name, const RebootRequest& request) {
  const auto live = require_running(name);
  const auto pidfd = open_pidfd(live.qemu);
  const auto timeout = request.timeout.count() > 0 ? request.timeout : live.plan.shutdown.timeout;
  const auto deadline = Clock::now() + timeout;
  std::optional<StayAtShutdown> stay;
  {
    CommandSocket socket(live, patience);
    stay.emplace(live, socket.client());
  }
  request.step("asking the guest of " + in_backticks(name) + " to power off");
  const bool off = await_off(live, pidfd.get(), request, deadline);
  if (!off && !request.force) {
    TimeoutError error("the guest of " + in_backticks(name) + " did not power off within " +
                       format_duration(timeout) + "; it goes on as before");
    error.help("`qlaunch console " + shell_quote(name) + "` shows what it does");
    error.help("`--timeout` waits longer, `--force` or `qlaunch reset` restarts it all the same");
    throw error;
  }
  CommandSocket socket(live, patience);
  start_anew(socket.client(), name);
  end_ssh(live.plan.paths.runtime);
  stay->done();
  return off ? "the guest powered off and boots anew"
             : "reset: the guest did not power off in time";
}

}  // namespace qlaunch
