// SPDX-License-Identifier: MIT
#include "guest/agent_listeners.hpp"

#include "qmp/agent.hpp"
#include "qmp/guest.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

/// Room for a hundred listeners: one answer of the agent's, as a rule.
constexpr std::size_t piece = std::size_t{16} << 10;
/// Of a file without end only this much is looked at.
constexpr std::size_t most_text = std::size_t{1} << 20;

/// Stops the reading of a file at the point where it says nothing more.
struct Enough {};

std::string read_listeners(qmp::Agent& agent, const char* path, bool tcp, qmp::Deadline deadline) {
  std::string text;
  try {
    agent.read_file(
        path,
        [&](std::string_view more) {
          text += more;
          if (text.size() > most_text || (tcp && past_listeners(text))) throw Enough();
        },
        deadline, piece);
  } catch (const Enough&) {  // NOLINT(bugprone-empty-catch): the file was closed all the same
  }
  return text;
}

void add(std::vector<Listener>& all, const std::string& text, Protocol protocol) {
  for (auto& listener : parse_listeners(text, protocol)) all.push_back(std::move(listener));
}

std::vector<Listener> by_files(qmp::Agent& agent, Protocol protocol, qmp::Deadline deadline) {
  const bool tcp = protocol == Protocol::tcp;
  std::vector<Listener> all;
  add(all, read_listeners(agent, tcp ? "/proc/net/tcp" : "/proc/net/udp", tcp, deadline), protocol);
  try {
    add(all, read_listeners(agent, tcp ? "/proc/net/tcp6" : "/proc/net/udp6", tcp, deadline),
        protocol);
  } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
    // A kernel without IPv6 has no such file.
  }
  return all;
}

std::vector<Listener> by_command(qmp::Agent& agent, Protocol protocol, qmp::Deadline deadline) {
  const bool tcp = protocol == Protocol::tcp;
  const qmp::ExecRequest request{"cat",
                                 tcp ? std::vector<std::string>{"/proc/net/tcp", "/proc/net/tcp6"}
                                     : std::vector<std::string>{"/proc/net/udp", "/proc/net/udp6"}};
  return parse_listeners(agent.exec(request, deadline).out, protocol);
}

}  // namespace

std::vector<Listener> agent_listeners(qmp::Agent& agent, const AskedProtocols& asked,
                                      qmp::Deadline deadline) {
  std::vector<Listener> all;
  for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
    if (!(protocol == Protocol::tcp ? asked.tcp : asked.udp)) continue;
    std::vector<Listener> some;
    try {
      some = by_files(agent, protocol, deadline);
    } catch (const qmp::Refused&) {
      some = by_command(agent, protocol, deadline);
    }
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace qlaunch
