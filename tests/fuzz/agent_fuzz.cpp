// SPDX-License-Identifier: MIT
// Whatever a guest sends, the agent's session and what is built on it neither crash nor grow, and
// end. The first byte chooses what is asked and how the bytes are cut.
#include "qmp/agent_session.hpp"
#include "qmp/error.hpp"
#include "qmp/guest.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

using qmp::AgentSession;

std::unique_ptr<qmp::GuestTask> make_task(unsigned which, std::size_t& taken) {
  switch (which % 3) {
    case 0:
      return std::make_unique<qmp::ExecTask>(qmp::ExecRequest{"/bin/x", {"y"}, {}, "in"});
    case 1:
      return std::make_unique<qmp::ReadTask>(
          "/x", [&taken](std::string_view piece) { taken += piece.size(); });
    default:
      return std::make_unique<qmp::WriteTask>(
          "/x", [&taken](std::size_t) { return ++taken > 3 ? std::string() : std::string("abc"); });
  }
}

template <class Result>
void read(const qmp::Request<Result>& request, const nlohmann::json& value) {
  try {
    read_reply(request, value);
  } catch (const qmp::Malformed&) {
  }
}

/// One kind of answer after the other: most are none, and each exception costs more than all else.
void read_as(std::size_t which, const nlohmann::json& value) {
  switch (which % 4) {
    case 0:
      return read(qmp::guest_interfaces(), value);
    case 1:
      return read(qmp::guest_time(), value);
    case 2:
      return read(qmp::guest_os_info(), value);
    default:
      return read(qmp::guest_frozen(), value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = 1 + data[0] / 3U;
  std::size_t taken = 0;
  auto task = make_task(data[0], taken);
  AgentSession session(4096);
  std::size_t answers = 0;
  session.sync(7);
  for (std::size_t at = 0; at < input.size(); at += piece) {
    session.feed(input.substr(at, piece));
    while (auto answer = session.next()) {
      if (++answers > size) std::abort();  // an answer takes a byte at least
      std::optional<qmp::GuestTask::Step> step;
      if (std::holds_alternative<AgentSession::Broken>(*answer)) {
        session.sync(7);
        continue;
      }
      try {
        if (const auto* value = std::get_if<AgentSession::Value>(&*answer)) {
          read_as(answers, value->value);
          task->reply(value->value);
        }
        step = task->next();
      } catch (const qmp::Malformed&) {
        step = task->abandon();
      }
      session.execute(step ? step->command : "guest-ping", step ? step->arguments : nullptr);
    }
    session.sent(session.outgoing().size());
  }
  if (taken > 4 * size) std::abort();
  return 0;
}
