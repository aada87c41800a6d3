// SPDX-License-Identifier: MIT
// Ways into a real Linux, and waiting for each of them: there and not there.
#include "guest/micro.hpp"
#include "host/socket.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>

using micro::Guest;
using test::contains;
using test::Home;

TEST_CASE("waiting for a service of a guest ends when it is there, and not before") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(
      home, "services",
      {.body = "[[network]]\nforward = [\"auto:22\", \"auto:80\"]\n", .ready = "agent"});
  CHECK(guest.wait("ready").code == 0);
  CHECK(guest.wait("ssh").code == 0);
  CHECK(guest.wait("agent").code == 0);
  CHECK(guest.wait("serial:micro: ready").code == 0);

  // QEMU accepts connections to the forwarded port although nothing listens in the guest.
  const auto forwards = guest.status()["forwards"];
  REQUIRE(forwards.size() == 2);
  CHECK(forwards[1]["guest_port"] == 80);
  CHECK_FALSE(qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1", forwards[1]["host_port"]));
  const auto silent = guest.wait("port:80", "1s");
  CHECK(silent.code == 4);
  CHECK(contains(silent.err, "port 80"));
  guest.say("httpd -p 80 -h /etc");
  CHECK(guest.wait("port:80").code == 0);
  guest.say("killall httpd");
  CHECK(guest.wait("port:80", "1s").code == 4);
  // Nobody speaks first there: that it accepts is all there is to see.
  guest.say("setsid nc -ll -p 80 -e cat </dev/null >/dev/null 2>&1 &");
  CHECK(guest.wait("port:80").code == 0);

  const auto unsaid = guest.wait("serial:a word from the guest", "300ms");
  CHECK(unsaid.code == 4);
  const auto waiting =
      home.start({"wait", "services", "--for", "serial:a word from the guest", "--timeout", "60s"});
  guest.say("echo a word 'from' the guest > /dev/ttyS0");
  CHECK(qlaunch::reap(waiting, std::chrono::steady_clock::now() + std::chrono::minutes(1)) == 0);

  // Its channel is still there, and so is the port's forward: only the words of a server count.
  guest.say("kill $(cat /run/qemu-ga.pid)");
  CHECK(guest.wait("agent", "1s").code == 4);
  guest.say("kill $(cat /run/dropbear.pid)");
  const auto refused = guest.wait("ssh", "1s");
  CHECK(refused.code == 4);
  CHECK(contains(refused.err, "ssh"));
  guest.shut_down();
  CHECK(guest.wait("ssh", "1s").code == 3);
}

TEST_CASE("a command typed on the console runs in the guest") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "typed", {.ready = "serial:micro: ready"});
  // The result is not in what is typed: an echo alone does not do.
  const auto typed =
      home.run_with_input({"console", "typed"}, "echo $((6 * 7))-is-the-answer; poweroff -f\r");
  CHECK(typed.code == 0);
  CHECK(contains(typed.out, "42-is-the-answer"));
  CHECK(guest.wait("stopped").code == 0);
  CHECK(guest.get("last_end.text") == "the guest powered off");
}
