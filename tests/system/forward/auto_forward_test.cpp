// SPDX-License-Identifier: MIT
// Ports of a real Linux that appear on the host by themselves: when something listens in the guest,
// and as long as it does, whatever happens to the guest and to who watches it.
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/process.hpp"
#include "host/socket.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <optional>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

using micro::Guest;
using nlohmann::json;
using qlaunch::Protocol;
using qlaunch::UniqueFd;
using test::contains;
using test::eventually;
using test::Home;

namespace {

using Clock = std::chrono::steady_clock;

/// The first of a few ports in a row that nobody on this host has.
int free_ports() {
  for (int first = 23100; first < 30000; first += 20) {
    bool free = true;
    for (int port = first; free && port < first + 20; ++port)
      free = qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port));
    if (free) return first;
  }
  FAIL("no free ports");
  return 0;
}

UniqueFd listen_on(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 1) == 0);
  return fd;
}

/// The first line that a web server behind this port of the host answers; empty where none does.
std::string answer(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
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
  Ports(const Home& home, const Guest& guest) : home_(home), guest_(guest) {}

  /// What `forward list` tells of this port of the guest; null where it does not appear.
  json forward(int guest_port, const std::string& protocol = "tcp") const {
    const auto listed = home_.run({"forward", "list", guest_.name(), "--json"});
    REQUIRE_MESSAGE(listed.code == 0, listed.err);
    for (const auto& each : json::parse(listed.out)) {
      if (each["guest_port"] == guest_port && each["protocol"] == protocol) return each;
    }
    return {};
  }
  bool there(int guest_port) const { return forward(guest_port).is_object(); }

  /// Seconds until it is so; the deadline is generous, as this machine may be busy.
  double until(int guest_port, bool there) const {
    const auto begin = Clock::now();
    INFO("port " << guest_port << (there ? " should appear" : " should go") << '\n'
                 << home_.run({"status", guest_.name()}).out);
    CHECK(eventually([&] { return this->there(guest_port) == there; }));
    return std::chrono::duration<double>(Clock::now() - begin).count();
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
  const Home& home_;
  const Guest& guest_;
};

std::string body(const std::string& rules, const std::string& more = {}) {
  return "[[network]]\nforward = [\"auto:22\"]\nauto_forward = [" + rules + "]\n" + more;
}

}  // namespace

TEST_CASE("what listens in a guest appears on the host, and goes with it") {
  if (micro::skipped()) return;
  Home home;
  const int port = free_ports();
  const auto text = [&](int offset) { return std::to_string(port + offset); };
  const Guest guest(home, "ports",
                    {.body = body("\"" + text(0) + '-' + text(9) + "\", \"" + text(15) + ':' +
                                  text(10) + "\", \"udp:" + text(3) + ":67\", \"!" + text(4) + '"'),
                     .ready = "agent"});
  const Ports ports(home, guest);
  guest.say("mkdir -p /tmp; echo it is so >/tmp/fact");

  ports.serve("0.0.0.0", port);
  const double appeared = ports.until(port, true);
  CHECK(answer(port) == "HTTP/1.1 200 OK");
  const auto first = ports.forward(port);
  CHECK(first["auto"] == true);
  CHECK(first["guest_address"] == "0.0.0.0");
  CHECK(first["host_address"] == "127.0.0.1");
  CHECK(first["host_port"] == port);
  CHECK(guest.events("PORT_APPEARED") == 1);
  CHECK(guest.status()["forwards"][0]["auto"] == false);
  CHECK(contains(home.run({"status", "ports"}).out, text(0) + " tcp (auto)"));

  // An IPv6 listener on any address takes IPv4, too; one on the card's address; another port of
  // the host; one that is left out, one that no rule names, and datagrams.
  ports.serve("[::]", port + 1);
  ports.serve("10.0.2.15", port + 2);
  ports.serve("", port + 10);
  ports.serve("", port + 4);
  ports.serve("", port + 12);
  guest.say(
      "echo 'interface eth0' >/tmp/dhcp; mkdir -p /var/lib/misc /var/run; "
      "touch /var/lib/misc/udhcpd.leases; udhcpd /tmp/dhcp");
  ports.appears(port + 10);
  CHECK(ports.forward(port + 10)["host_port"] == port + 15);
  ports.appears(port + 1);
  ports.appears(port + 2);
  for (const int offset : {1, 2, 15}) CHECK(answer(port + offset) == "HTTP/1.1 200 OK");
  CHECK(eventually([&] { return ports.forward(67, "udp").is_object(); }));
  CHECK(ports.forward(67, "udp")["host_port"] == port + 3);
  CHECK_FALSE(qlaunch::port_free(Protocol::udp, "127.0.0.1", static_cast<std::uint16_t>(port + 3)));
  CHECK_FALSE(ports.there(port + 4));
  CHECK_FALSE(ports.there(port + 12));

  ports.close(port);
  const double went = ports.until(port, false);
  CHECK(qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port)));
  CHECK(guest.events("PORT_GONE") == 1);
  CHECK(ports.there(port + 1));
  MESSAGE("a port appeared after " << appeared << " s and went after " << went << " s");

  // One that somebody else has on the host is told, and appears when that one has gone.
  {
    const auto held = listen_on(port);
    ports.serve("", port);
    CHECK(eventually([&] { return !ports.cause(port).empty(); }));
    CHECK(contains(ports.cause(port), "127.0.0.1:" + text(0) + " is taken"));
    CHECK(guest.events("PORT_NOT_FORWARDED") == 1);
    CHECK_FALSE(ports.there(port));
  }
  ports.appears(port);
  CHECK(answer(port) == "HTTP/1.1 200 OK");
  CHECK(guest.events("PORT_NOT_FORWARDED") == 1);

  // What a person says counts more: removed, it stays away; added, it stays.
  CHECK(home.run({"forward", "remove", "ports", text(1)}).code == 0);
  CHECK(contains(ports.cause(port + 1), "removed"));
  CHECK(home.run({"forward", "add", "ports", text(2) + ':' + text(2)}).code == 0);
  CHECK(ports.forward(port + 2)["auto"] == false);
  ports.close(port + 2);
  ports.close(port + 1);
  CHECK(eventually([&] { return ports.cause(port + 1).empty(); }));
  CHECK(ports.there(port + 2));
  CHECK_FALSE(ports.there(port + 1));
  ports.serve("", port + 1);
  ports.appears(port + 1);

  // The agent serves others in between, and this in between what others do.
  const auto busy = home.start({"exec", "ports", "--", "sleep", "1000"});
  ports.serve("", port + 6);
  ports.appears(port + 6);
  CHECK_FALSE(qlaunch::wait_exit(busy.pidfd.get(), Clock::now()));
  guest.say("killall sleep");
  CHECK(qlaunch::reap(busy, Clock::now() + std::chrono::minutes(1)) != 0);
  for (int round = 0; round < 5; ++round) CHECK(guest.wait("agent").code == 0);
  guest.say("kill $(cat /run/qemu-ga.pid)");
  CHECK(eventually([&] { return guest.status()["auto_forward"]["problem"].is_string(); }));
  CHECK(ports.there(port + 1));
  guest.say(
      "qemu-ga -d -m virtio-serial -p /dev/$(basename $(grep -l org.qemu.guest_agent.0 "
      "/sys/class/virtio-ports/*/name | xargs dirname)) -t /run -f /run/qemu-ga.pid");
  ports.close(port + 1);
  ports.goes(port + 1);
  CHECK(guest.status()["auto_forward"]["problem"].is_null());

  // A guest that starts anew listens to nothing.
  CHECK(ports.there(port));
  CHECK(home.run({"reset", "ports"}).code == 0);
  ports.goes(port);
  CHECK(ports.there(22));
  CHECK(guest.wait("agent").code == 0);
  CHECK(guest.wait("ssh").code == 0);
  ports.serve("", port + 5);
  ports.appears(port + 5);
  guest.shut_down();
}

TEST_CASE("ports stay right while the guest stands still, goes back in time, or nobody watches") {
  if (micro::skipped()) return;
  Home home;
  const int port = free_ports();
  const auto text = [&](int offset) { return std::to_string(port + offset); };
  const Guest guest(
      home, "times",
      {.body = body("\"" + text(0) + '-' + text(9) + '"', "auto_forward_taken = \"other\"\n"),
       .ready = "agent"});
  const Ports ports(home, guest);
  // Another port is taken only where the profile says so.
  {
    const auto held = listen_on(port);
    ports.serve("", port);
    ports.appears(port);
    const int other = ports.forward(port)["host_port"];
    CHECK(other != port);
    CHECK(answer(other) == "HTTP/1.1 404 Not Found");
  }
  ports.serve("", port + 1);
  ports.appears(port + 1);

  CHECK(home.run({"pause", "times"}).code == 0);
  CHECK(ports.there(port + 1));
  CHECK(home.run({"resume", "times"}).code == 0);
  CHECK(home.run({"snapshot", "create", "times", "one"}).code == 0);
  ports.close(port + 1);
  ports.serve("", port + 2);
  ports.goes(port + 1);
  ports.appears(port + 2);
  const auto reverted = home.run({"snapshot", "revert", "times", "one", "--discard"});
  CHECK_MESSAGE(reverted.code == 0, reverted.err);
  ports.appears(port + 1);
  ports.goes(port + 2);
  CHECK(answer(port + 1) == "HTTP/1.1 404 Not Found");

  // The keeper is killed, and with it who watches; what had appeared is still there. What goes
  // before there is another one is not forgotten.
  const int keeper = guest.status()["keeper"];
  kill(keeper, SIGKILL);
  CHECK(eventually([&] { return !qlaunch::identify(keeper); }));
  CHECK(answer(port + 1) == "HTTP/1.1 404 Not Found");
  CHECK(guest.status()["keeper"] != keeper);
  ports.close(port + 1);
  ports.serve("", port + 3);
  ports.goes(port + 1);
  ports.appears(port + 3);
  CHECK(qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port + 1)));

  // To the disk and back: another QEMU, the same listeners.
  const auto suspended = home.run({"suspend", "times"});
  CHECK_MESSAGE(suspended.code == 0, suspended.err);
  CHECK(qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port + 3)));
  CHECK(home.run({"up", "times"}).code == 0);
  ports.appears(port + 3);
  CHECK(answer(port + 3) == "HTTP/1.1 404 Not Found");
  guest.shut_down();
}
