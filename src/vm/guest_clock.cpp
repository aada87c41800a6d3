// SPDX-License-Identifier: MIT
#include "vm/guest_clock.hpp"

#include "core/error.hpp"
#include "vm/agent_socket.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using std::chrono::nanoseconds;
using std::chrono::system_clock;

/// Between the host's reading and the guest's own, on a busy machine.
constexpr auto tolerance = std::chrono::seconds(2);

/// How long a silent agent is listened to without a break for others, and the break.
constexpr Duration one_turn = std::chrono::seconds(3);
constexpr auto between_turns = std::chrono::milliseconds(100);

nanoseconds host_time() {
  return std::chrono::duration_cast<nanoseconds>(system_clock::now().time_since_epoch());
}

bool is_right(nanoseconds guest) {
  return std::chrono::abs(host_time() - guest) <= tolerance;
}

}  // namespace

namespace {

/// `heard`: the agent has answered something.
ClockSet try_to_set(const LiveRecord& live, Duration patience, bool& heard) {
  heard = false;
  if (live.plan.descriptor("agent") == nullptr)
    return {false, false, "the VM has no channel for a guest agent"};
  const qmp::Deadline deadline(patience);
  try {
    qmp::AgentOptions options;
    options.reply = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    AgentSocket turn(live, patience, options);
    auto& agent = turn.agent();
    agent.sync(deadline);
    heard = true;
    std::string refusal;
    try {
      agent.execute("guest-set-time", nlohmann::json{{"time", host_time().count()}}, deadline);
      return {true, true, ""};
    } catch (const qmp::Refused& error) {
      // It sets the guest's hardware clock, too, and some guests have no program for that.
      refusal = error.what();
    }
    const auto now = agent.execute("guest-get-time", nullptr, deadline).get<std::int64_t>();
    if (is_right(nanoseconds(now))) return {true, true, ""};
    return {false, true, refusal.empty() ? "the guest's clock did not change" : refusal};
  } catch (const qmp::Timeout&) {
    return {false, true, "no guest agent answers"};
  } catch (const std::exception& error) {
    return {false, true, error.what()};
  }
}

}  // namespace

ClockSet set_guest_clock(const LiveRecord& live, Duration patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto rest = std::chrono::duration_cast<Duration>(end - std::chrono::steady_clock::now());
    bool heard = false;
    auto set = try_to_set(live, std::min<Duration>(rest, one_turn), heard);
    if (heard || !set.possible || rest <= one_turn || !alive(live.qemu)) return set;
    // One that is silent does not keep it from others.
    std::this_thread::sleep_for(between_turns);
  }
}

}  // namespace qlaunch
