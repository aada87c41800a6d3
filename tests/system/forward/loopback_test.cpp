// SPDX-License-Identifier: MIT
// Ports on a guest's own loopback, and a guest without an agent: both over one ssh connection.
#include "forward/ports.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/socket.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <sys/stat.h>

using micro::Guest;
using qlaunch::Protocol;
using test::contains;
using test::eventually;
using test::Home;

namespace {

using forward_test::answer;
using forward_test::free_ports;
using forward_test::Ports;

/// The user of the home has the key that the guest knows.
void take_key(const Home& home) {
  const auto path = home.write(".ssh/id_ed25519", qlaunch::read_file(micro::folder() + "/ssh_key"));
  REQUIRE(chmod(path.c_str(), 0600) == 0);
}

}  // namespace

TEST_CASE("what listens on a guest's own loopback appears over ssh, and goes with it") {
  if (micro::skipped()) return;
  Home home;
  const int port = free_ports();
  const auto text = [&](int offset) { return std::to_string(port + offset); };
  const Guest guest(home, "inside",
                    {.body = "guest.credentials = { \"ssh.authorized_keys.root\" = \"none\" }\n"
                             "[[network]]\nforward = [\"auto:22\"]\nauto_forward = \"" +
                             text(0) + '-' + text(9) + "\"\n",
                     .ready = "ssh"});
  const Ports ports(home, guest);
  ports.serve("127.0.0.1", port);
  ports.serve("[::1]", port + 1);
  ports.serve("", port + 2);
  // Nobody has a key yet that the guest takes.
  ports.appears(port + 2);
  CHECK(eventually([&] { return contains(ports.cause(port), "loopback"); }));
  CHECK_FALSE(ports.there(port));
  take_key(home);
  const double appeared = ports.until(port, true);
  ports.appears(port + 1);
  CHECK(ports.forward(port)["by"] == "ssh");
  CHECK(ports.forward(port)["guest_address"] == "127.0.0.1");
  CHECK(ports.forward(port + 1)["guest_address"] == "::1");
  CHECK(ports.forward(port + 2)["by"] == "network");
  for (int offset = 0; offset < 3; ++offset)
    CHECK(answer(port + offset) == "HTTP/1.1 404 Not Found");
  MESSAGE("a port on the loopback appeared " << appeared << " s after there was a key");
  ports.serve("127.0.0.1", port + 3);
  const double next = ports.until(port + 3, true);
  ports.close(port);
  const double went = ports.until(port, false);
  CHECK(qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port)));
  MESSAGE("the next one appeared after " << next << " s; one went after " << went << " s");
  CHECK(ports.there(port + 1));

  CHECK(home.run({"forward", "remove", "inside", text(1)}).code == 0);
  CHECK_FALSE(ports.there(port + 1));
  CHECK(qlaunch::port_free(Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port + 1)));

  // Nobody watches for a while; the one who comes then finds the connection.
  const int keeper = guest.status()["keeper"];
  kill(keeper, SIGKILL);
  CHECK(eventually([&] { return guest.status()["keeper"] != keeper; }));
  CHECK(answer(port + 3) == "HTTP/1.1 404 Not Found");
  ports.close(port + 3);
  ports.goes(port + 3);

  // Without an agent ssh tells what listens, too.
  guest.say("kill $(cat /run/qemu-ga.pid)");
  ports.serve("127.0.0.1", port + 4);
  ports.appears(port + 4);
  CHECK(eventually([&] { return guest.status()["auto_forward"]["by"] == "ssh"; }));
  ports.close(port + 4);
  ports.goes(port + 4);
  guest.shut_down();
}
