// SPDX-License-Identifier: MIT
#include "vm/power_off.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/agent_socket.hpp"
#include "vm/keeper.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// An agent that is well answers in milliseconds; one that hangs is not worth the user's time.
constexpr auto agent_patience = std::chrono::seconds(2);
/// A shutdown that the guest cannot even begin is refused at once.
constexpr auto refusal_window = std::chrono::milliseconds(500);

/// False where the agent does not answer, or refuses: the power button is left.
bool ask_agent(const LiveRecord& live) {
  if (live.plan.descriptor("agent") == nullptr) return false;
  try {
    qmp::AgentOptions options;
    options.reply = agent_patience;
    AgentSocket socket(live, agent_patience, options);
    socket.agent().send("guest-shutdown", {{"mode", "powerdown"}}, agent_patience, refusal_window);
    return true;
  } catch (const qmp::Gone&) {
    // It is on its way out, or its agent is: the button tells.
    return !alive(live.qemu);
  } catch (const qmp::Error&) {
    return false;
  } catch (const TimeoutError&) {
    // Another command keeps the agent to itself.
    return false;
  }
}

}  // namespace

bool agent_listens(qmp::SyncClient& client) {
  for (const auto& chardev : client.execute("query-chardev")) {
    if (chardev.value("label", "") == "agent") return chardev.value("frontend-open", false);
  }
  return false;
}

Asked ask_to_power_off(const LiveRecord& live, bool agent, Clock::time_point deadline) {
  // The keeper is still connected where nobody else can connect any more.
  if (!unreachable(live).empty() && send_signal(live.keeper, press_signal)) return Asked::button;
  {
    const auto rest = std::chrono::duration_cast<Duration>(deadline - Clock::now());
    CommandSocket socket(live, std::clamp<Duration>(rest, std::chrono::seconds(1), press_again));
    auto& client = socket.client();
    const auto state = client.execute("query-status").at("status").get<std::string>();
    if (state == "shutdown") return Asked::off_long;
    if (state != "running") {
      StateError error("VM " + in_backticks(live.name) + " is not running but in state " +
                       in_backticks(state) + ": its guest cannot hear the power button");
      if (state == "paused" || state == "prelaunch")
        error.help("`qlaunch resume " + shell_quote(live.name) + "` lets it go on");
      error.help("`qlaunch shutdown --force " + shell_quote(live.name) + "` or `qlaunch kill " +
                 shell_quote(live.name) + "` ends it all the same");
      throw error;
    }
    agent = agent && agent_listens(client);
    if (!agent) {
      client.execute("system_powerdown");
      return Asked::button;
    }
  }
  // Without the command socket: the agent may take its time, and others want to ask QEMU.
  if (ask_agent(live)) return Asked::agent;
  return ask_to_power_off(live, false, deadline);
}

}  // namespace qlaunch
