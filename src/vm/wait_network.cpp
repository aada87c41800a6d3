// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/usernet.hpp"
#include "vm/waiting.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace qlaunch {
namespace {

using Clock = Waiting::Clock;

/// A guest that refuses, or does not answer yet, is asked again so soon.
constexpr auto probe_interval = std::chrono::milliseconds(50);
/// How long a server may take for its first words.
constexpr auto accepted_patience = std::chrono::seconds(10);

const PlannedForward& require_forward(const LiveRecord& live, std::uint16_t guest_port) {
  const auto* planned = forward_to(live, guest_port);
  if (planned != nullptr) return *planned;
  const auto port = std::to_string(guest_port);
  throw StateError("port " + port + " of VM " + in_backticks(live.name) +
                   " cannot be waited for: it is not forwarded")
      .help("add `forward = [\"auto:" + port + "\"]` to a [[network]] of mode \"user\"");
}

UniqueFd connect_tcp(const Forward& forward) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(forward.host_port);
  const auto host = forward.host_address == "0.0.0.0" ? "127.0.0.1" : forward.host_address;
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // QEMU listens on this host: it answers at once or not at all.
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return UniqueFd();
  return fd;
}

/// QEMU knows whether the guest has accepted a connection that came through this forward.
bool guest_accepted(const LiveRecord& live, const Forward& forward) {
  CommandSocket socket(live);
  const auto lines = parse_usernet(socket.client().human_monitor("info usernet"));
  return std::any_of(lines.begin(), lines.end(), [&](const UsernetLine& line) {
    return line.protocol == Protocol::tcp && line.state == "ESTABLISHED" &&
           line.host_port == forward.host_port && line.guest_port == forward.guest_port;
  });
}

/// Where nobody can tell, it may have: then the server is given its time.
bool may_be_accepted(const LiveRecord& live, const Forward& forward) {
  try {
    return guest_accepted(live, forward);
  } catch (const Error&) {
    return true;
  } catch (const qmp::Error&) {
    return true;
  }
}

}  // namespace

const PlannedForward* forward_to(const LiveRecord& live, std::uint16_t guest_port) {
  const auto match =
      std::find_if(live.forwards.begin(), live.forwards.end(), [&](const auto& planned) {
        return planned.forward.guest_port == guest_port &&
               planned.forward.protocol == Protocol::tcp && planned.forward.host_port != 0;
      });
  return match == live.forwards.end() ? nullptr : &*match;
}

/// QEMU accepts at once even where nothing listens in the guest: only the server's own words count.
/// What the guest does not answer yet is asked anew: its own stack would try again only after a
/// time that doubles. What it has accepted is waited for: more connections, half open, would make a
/// server refuse some.
bool wait_ssh(const Waiting& waiting) {
  const auto& forward = require_forward(waiting.live, 22).forward;
  for (;;) {
    auto fd = connect_tcp(forward);
    std::string banner;
    const auto give_up = Clock::now() + accepted_patience;
    bool accepted = false;
    while (fd && Clock::now() < give_up) {
      const auto woken =
          waiting.until(fd.get(), accepted ? give_up : Clock::now() + probe_interval);
      if (woken == Waiting::Woken::interrupted) return false;
      if (woken == Waiting::Woken::time) {
        if (Clock::now() >= waiting.deadline) break;
        if (accepted || !may_be_accepted(waiting.live, forward)) break;
        accepted = true;
        continue;
      }
      std::array<char, 256> bytes{};
      const auto got = recv(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got <= 0) break;
      banner.append(bytes.data(), static_cast<std::size_t>(got));
      if (banner.find("SSH-") != std::string::npos) return true;
    }
    fd.reset();
    if (Clock::now() >= waiting.deadline)
      throw TimeoutError(banner.empty()
                             ? "no ssh server answers on " + forward.host_address + ':' +
                                   std::to_string(forward.host_port)
                             : "what answers there is no ssh server: " + in_backticks(banner));
    if (waiting.until(-1, Clock::now() + probe_interval) == Waiting::Woken::interrupted)
      return false;
  }
}

bool wait_port(const Waiting& waiting, std::uint16_t port) {
  const auto& forward = require_forward(waiting.live, port).forward;
  auto pause = std::chrono::milliseconds(100);
  for (;;) {
    const auto fd = connect_tcp(forward);
    const auto patience = Clock::now() + std::chrono::seconds(5);
    while (fd && Clock::now() < patience) {
      if (guest_accepted(waiting.live, forward)) return true;
      // Readable is either data, from a guest that speaks first, or the end: nobody listens.
      const auto woken = waiting.until(fd.get(), Clock::now() + std::chrono::milliseconds(100));
      if (woken == Waiting::Woken::interrupted) return false;
      if (woken == Waiting::Woken::fact) {
        char byte = 0;
        if (recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0) return true;
        break;
      }
      if (Clock::now() >= waiting.deadline) break;
    }
    if (Clock::now() >= waiting.deadline)
      throw TimeoutError("nothing in the guest accepts connections on port " +
                         std::to_string(port));
    if (waiting.until(-1, Clock::now() + pause) == Waiting::Woken::interrupted) return false;
    pause = std::min(pause + pause / 4, std::chrono::milliseconds(1000));
  }
}

}  // namespace qlaunch
