// SPDX-License-Identifier: MIT
// Ports of a guest and of the host as these tests look at them. Knows nothing of what a test is
// about.
#pragma once

#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/socket.hpp"

#include <array>
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace forward_test {

/// The first of a few ports in a row that nobody on this host has.
inline int free_ports() {
  for (int first = 23100; first < 30000; first += 20) {
    bool free = true;
    for (int port = first; free && port < first + 20; ++port)
      free =
          qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port));
    if (free) return first;
  }
  FAIL("no free ports");
  return 0;
}

inline qlaunch::UniqueFd listen_on(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  qlaunch::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 1) == 0);
  return fd;
}

/// The first line that a web server behind this port of the host answers; empty where none does.
inline std::string answer(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const qlaunch::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  constexpr std::string_view request = "GET /fact HTTP/1.0\r\n\r\n";
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
  std::string said;
  std::array<char, 512> bytes{};
  for (;;) {
    pollfd waiting{fd.get(), POLLIN, 0};
    if (poll(&waiting, 1, 20000) <= 0) return {};
    const auto got = recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    said.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return said.substr(0, said.find('\r'));
}

class Ports {
 public:
  Ports(const test::Home& home, const micro::Guest& guest) : home_(home), guest_(guest) {}

  /// What `forward list` tells of this port of the guest; null where it does not appear.
  nlohmann::json forward(int guest_port, const std::string& protocol = "tcp") const {
    const auto listed = home_.run({"forward", "list", guest_.name(), "--json"});
    REQUIRE_MESSAGE(listed.code == 0, listed.err);
    for (const auto& each : nlohmann::json::parse(listed.out)) {
      if (each["guest_port"] == guest_port && each["protocol"] == protocol) return each;
    }
    return {};
  }
  bool there(int guest_port) const { return forward(guest_port).is_object(); }

  /// Seconds until it is so; the deadline is generous, as this machine may be busy.
  double until(int guest_port, bool there) const {
    const auto begin = std::chrono::steady_clock::now();
    INFO("port " << guest_port << (there ? " should appear" : " should go") << '\n'
                 << home_.run({"status", guest_.name()}).out);
    CHECK(test::eventually([&] { return this->there(guest_port) == there; }));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  void appears(int guest_port) const { until(guest_port, true); }
  void goes(int guest_port) const { until(guest_port, false); }

  /// Why it does not appear; empty where nothing is said.
  std::string cause(int guest_port) const {
    const auto status = guest_.status();
    for (const auto& each : status["auto_forward"]["missing"]) {
      if (each["guest_port"] == guest_port) return each["cause"];
    }
    return {};
  }

  void serve(const std::string& address, int port) const {
    guest_.say("httpd -h /tmp -p " + (address.empty() ? "" : address + ':') + std::to_string(port));
  }
  /// Ends who listens there: httpd's words hold the port.
  void close(int port) const {
    guest_.say("for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline | grep -q 'http[d].*" +
               std::to_string(port) + "'; then kill ${p#/proc/}; fi; done");
  }

 private:
  const test::Home& home_;
  const micro::Guest& guest_;
};

}  // namespace forward_test
