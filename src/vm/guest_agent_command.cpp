// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "qmp/agent.hpp"
#include "vm/guest_command.hpp"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

#include <poll.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

// The agent keeps at most 16 MiB of each stream and sends them in one line.
constexpr std::size_t longest_reply = std::size_t{64} << 20;

std::string decoded(std::string_view text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char character : text) {
    const auto digit = digits.find(character);
    if (digit == std::string_view::npos) continue;
    bits = bits << 6U | static_cast<unsigned>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xffU);
  }
  return out;
}

GuestOutput output_of(const nlohmann::json& status) {
  GuestOutput output;
  output.code =
      status.contains("signal") ? 128 + status["signal"].get<int>() : status.value("exitcode", 0);
  output.out = decoded(status.value("out-data", ""));
  output.err = decoded(status.value("err-data", ""));
  output.truncated = status.value("out-truncated", false) || status.value("err-truncated", false);
  return output;
}

}  // namespace

GuestOutput run_by_agent(const LiveRecord& live, const GuestCommand& command) {
  const auto* socket = live.plan.descriptor("agent");
  if (socket == nullptr)
    throw StateError("VM " + in_backticks(live.name) + " has no channel for a guest agent")
        .help("set `guest_agent = true` in [machine]");
  const auto pidfd = open_pidfd(live.qemu);
  qmp::AgentOptions options;
  options.reply = std::chrono::seconds(20);
  options.line_cap = longest_reply;
  std::vector<qmp::Watch> watches;
  if (pidfd) watches.push_back({pidfd.get(), "the QEMU process exited"});
  qmp::Agent agent(socket->path, options, watches);
  nlohmann::json started;
  try {
    started = agent.execute(
        "guest-exec",
        {{"path", command.words.front()},
         {"arg", std::vector<std::string>(command.words.begin() + 1, command.words.end())},
         {"capture-output", true}});
  } catch (const qmp::Refused& refused) {
    throw Error("the guest cannot run " + in_backticks(command.words.front()) + ": " +
                refused.what());
  }
  const auto pid = started.at("pid");
  auto pause = std::chrono::milliseconds(2);
  for (;;) {
    const auto status = agent.execute("guest-exec-status", {{"pid", pid}});
    if (status.value("exited", false)) return output_of(status);
    if (command.interrupted()) throw Error("interrupted");
    if (command.deadline && Clock::now() >= *command.deadline)
      throw TimeoutError(in_backticks(command.words.front()) + " did not end in time");
    // The agent cannot be waited for; a short command costs little, a long one a tenth of a second.
    pollfd ended{pidfd.get(), POLLIN, 0};
    poll(&ended, 1, static_cast<int>(pause.count()));
    pause = std::min(pause * 2, std::chrono::milliseconds(100));
  }
}

}  // namespace qlaunch
