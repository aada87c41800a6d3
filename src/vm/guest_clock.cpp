// SPDX-License-Identifier: MIT
#include "vm/guest_clock.hpp"

#include "core/error.hpp"
#include "vm/agent_socket.hpp"

#include <chrono>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using std::chrono::nanoseconds;
using std::chrono::system_clock;

/// Between the host's reading and the guest's own, on a busy machine.
constexpr auto tolerance = std::chrono::seconds(2);

nanoseconds host_time() {
  return std::chrono::duration_cast<nanoseconds>(system_clock::now().time_since_epoch());
}

bool is_right(nanoseconds guest) {
  return std::chrono::abs(host_time() - guest) <= tolerance;
}

}  // namespace

ClockSet set_guest_clock(const LiveRecord& live, Duration patience) {
  if (live.plan.descriptor("agent") == nullptr)
    return {false, false, "the VM has no channel for a guest agent"};
  const qmp::Deadline deadline(patience);
  try {
    qmp::AgentOptions options;
    options.reply = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    AgentSocket turn(live, patience, options);
    auto& agent = turn.agent();
    agent.sync(deadline);
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

}  // namespace qlaunch
