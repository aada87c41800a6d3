// SPDX-License-Identifier: MIT
// What stands in the way of ssh: VMs that do not run, guests without a server, other host keys.
#include "core/text.hpp"
#include "host/files.hpp"
#include "ssh/parts.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include <unistd.h>

using namespace ssh_test;
using test::contains;
using test::Home;

namespace {

std::string another_key(const Home& home) {
  const auto path = home.file("other");
  REQUIRE(run(home, {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path}).code ==
          0);
  return std::string(qlaunch::trim(qlaunch::read_file(path + ".pub")));
}

}  // namespace

TEST_CASE("a guest that shows another host key is not trusted until somebody says so") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  const micro::Guest guest(home, "box", recipe());
  const auto known = home.path() + "/data/box/ssh/known_hosts";
  CHECK(home.run({"ssh", "root@box", "--", "true"}).code == 0);
  end_shared(home);

  const auto other = "qlaunch-guest " + another_key(home) + "\n";
  qlaunch::write_file_atomic(known, other);
  REQUIRE(chown(known.c_str(), test::user(), test::user()) == 0);
  const auto refused = home.run({"ssh", "root@box", "--", "echo reached"});
  CHECK(refused.code == 125);
  CHECK(refused.out.empty());
  CHECK(contains(refused.err, "another host key"));
  CHECK(contains(refused.err, "--accept-host-key"));
  CHECK(qlaunch::read_file(known) == other);
  CHECK(home.run({"copy", "box.toml", "root@box:/tmp"}).code == 3);

  CHECK(home.run({"ssh", "--accept-host-key", "root@box", "--", "echo reached"}).out ==
        "reached\n");
  CHECK(qlaunch::read_file(known) == "qlaunch-guest " + host_key() + "\n");

  // Nobody is let in without the key; there is no terminal on which to ask.
  CHECK(unlink(home.file(".ssh/id_ed25519").c_str()) == 0);
  end_shared(home);
  const auto locked = home.run({"ssh", "root@box", "--", "true"});
  CHECK(locked.code == 125);
  CHECK(contains(locked.err, "Permission denied"));
  take_key(home);

  // Paused, it does not answer; a server that has ended is told, too.
  CHECK(home.run({"pause", "box"}).code == 0);
  const auto paused = home.run({"ssh", "--timeout", "1s", "root@box", "--", "true"});
  CHECK(paused.code == 125);
  CHECK(contains(paused.err, "qlaunch resume box"));
  CHECK(home.run({"resume", "box"}).code == 0);
  CHECK(guest.ssh("kill $(cat /run/dropbear.pid)").code == 0);
  const auto gone = home.run({"ssh", "--timeout", "1s", "root@box", "--", "true"});
  CHECK(gone.code == 125);
  CHECK(contains(gone.err, "qlaunch log box"));

  // Words that cannot be followed, as with every command.
  CHECK(home.run({"ssh", "-t", "-T", "box"}).code == 2);
  CHECK(home.run({"ssh", "box/inner"}).code == 2);
  CHECK(home.run({"ssh", "nobody"}).code == 125);

  CHECK(home.run({"kill", "box"}).code == 0);
  const auto stopped = home.run({"ssh", "root@box", "--", "true"});
  CHECK(stopped.code == 125);
  CHECK(contains(stopped.err, "qlaunch up box"));
}

TEST_CASE("a guest without a server, and one to which nothing leads") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  auto silent = recipe({}, "silent");
  silent.ready = "serial:micro: ready";
  const micro::Guest guest(home, "box", silent);
  const auto begun = std::chrono::steady_clock::now();
  const auto none = home.run({"ssh", "--timeout", "2s", "root@box", "--", "true"});
  const auto taken = std::chrono::steady_clock::now() - begun;
  CHECK(none.code == 125);
  CHECK(contains(none.err, "no ssh server answers"));
  CHECK(taken >= std::chrono::seconds(2));
  CHECK(taken < std::chrono::seconds(20));
  const auto interrupted = home.start({"ssh", "root@box"});
  CHECK(!qlaunch::wait_exit(interrupted.pidfd.get(),
                            std::chrono::steady_clock::now() + std::chrono::milliseconds(500)));
  qlaunch::send_signal(interrupted.id, SIGINT);
  const auto ended =
      qlaunch::reap(interrupted, std::chrono::steady_clock::now() + std::chrono::seconds(20));
  REQUIRE(ended);
  CHECK(WEXITSTATUS(*ended) == 130);

  const auto port = guest.get("ssh_port");
  CHECK(home.run({"forward", "remove", "box", port + ":22"}).code == 0);
  const auto nothing = home.run({"ssh", "root@box", "--", "true"});
  CHECK(nothing.code == 125);
  CHECK(contains(nothing.err, "qlaunch forward add box auto:22"));
}
