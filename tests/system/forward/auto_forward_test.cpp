// SPDX-License-Identifier: MIT
// Ports of a real Linux that appear on the host by themselves: when something listens in the guest,
// and as long as it does, whatever happens to the guest and to who watches it.
#include "forward/ports.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/process.hpp"
#include "host/socket.hpp"

#include <chrono>
#include <csignal>

#include <doctest/doctest.h>

using micro::Guest;
using qlaunch::Protocol;
using test::contains;
using test::eventually;
using test::Home;

namespace {

using Clock = std::chrono::steady_clock;
using forward_test::answer;
using forward_test::free_ports;
using forward_test::listen_on;
using forward_test::Ports;

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
