// SPDX-License-Identifier: MIT
#include "vm/agent_socket.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/lock.hpp"

#include <algorithm>
#include <optional>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// After a client has gone, an agent sleeps for a tenth of a second at a time: to change more often
/// would cost more than it gives.
constexpr auto turn = std::chrono::milliseconds(300);
constexpr auto look_again = std::chrono::milliseconds(50);
constexpr auto longest_sleep = std::chrono::milliseconds(250);
constexpr auto shared_patience = std::chrono::minutes(5);

}  // namespace

struct AgentSocket::State {
  std::string name, path;
  // Held while connected; and by the one who is next, so that it is seen that somebody waits.
  FileLock lock, next;
  UniqueFd pidfd;
  qmp::AgentOptions options;
  AgentWait wait;
  std::optional<qmp::Agent> agent;
  Clock::time_point look_at{};

  void take(Duration patience) {
    const auto begun = Clock::now();
    auto deadline = begun + patience;
    const auto locked = [&](FileLock& which) {
      while (!which.lock(std::min<Clock::time_point>(deadline, Clock::now() + longest_sleep))) {
        const auto now = Clock::now();
        wait.look(std::chrono::duration_cast<std::chrono::milliseconds>(now - begun));
        if (now < deadline) continue;
        if (!wait.wait_on()) return false;
        deadline = now + patience;
      }
      return true;
    };
    if (!locked(next) || !locked(lock)) {
      next.unlock();
      const auto holder = lock.holder();
      TimeoutError error(
          "the guest agent of VM " + in_backticks(name) + " is busy" +
          (holder ? ": held by " + process_name(*holder) + " (pid " + std::to_string(*holder) + ")"
                  : ""));
      error.help("try again when the other command is done");
      throw error;
    }
    next.unlock();
    agent.emplace(path, options, std::vector<qmp::Watch>{{pidfd.get(), "the QEMU process exited"}});
    look_at = Clock::now() + turn;
  }
};

AgentSocket::AgentSocket(const LiveRecord& live, Duration patience,
                         const qmp::AgentOptions& options, AgentWait wait) {
  const auto* socket = live.plan.descriptor("agent");
  if (socket == nullptr)
    throw StateError("VM " + in_backticks(live.name) + " has no channel for a guest agent")
        .help("set `guest_agent = true` in [machine]");
  auto pidfd = open_pidfd(live.qemu);
  if (!pidfd) throw qmp::Gone("QEMU has ended", "the QEMU process exited");
  const auto lock = live.plan.paths.runtime + "/agent";
  state_ = std::make_unique<State>(State{live.name,
                                         socket->path,
                                         FileLock(lock + ".lock"),
                                         FileLock(lock + "-next.lock"),
                                         std::move(pidfd),
                                         options,
                                         std::move(wait),
                                         {},
                                         {}});
  state_->take(patience);
}

AgentSocket::~AgentSocket() = default;

qmp::Agent& AgentSocket::agent() {
  if (!state_->agent)
    throw Error("the guest agent of VM " + in_backticks(state_->name) + " serves another command");
  return *state_->agent;
}

void AgentSocket::share() {
  auto& state = *state_;
  const auto now = Clock::now();
  if (now < state.look_at) return;
  state.look_at = now + look_again;
  if (state.next.try_lock()) {
    state.next.unlock();
    return;
  }
  state.agent.reset();
  state.lock.unlock();
  state.take(shared_patience);
}

}  // namespace qlaunch
