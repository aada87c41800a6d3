// SPDX-License-Identifier: MIT
// Shares that are mounted while a guest's state is saved, loaded and put away: taken from it and
// given back.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <csignal>

#include <doctest/doctest.h>

#include <sys/wait.h>

using micro::Guest;
using test::contains;
using test::eventually;
using test::Home;

namespace {

class Shared {
 public:
  explicit Shared(Home& home) : home_(home) {
    home.write("nine/f", "by 9p");
    home.write("fs/f", "by virtiofs");
  }

  bool can_virtiofs() const {
    home_.write("probe.toml", micro::share("fs", home_.file("fs"), "virtiofs", false));
    return !contains(home_.run({"check", "probe.toml"}).err, "virtiofsd");
  }

  /// With 9p to be detached by itself, and virtiofs only where that is asked for.
  micro::Recipe recipe() const {
    return {.body = micro::share("nine", home_.file("nine"), "9p", false) +
                    "on_snapshot = \"detach\"\n" +
                    micro::share("fs", home_.file("fs"), "virtiofs", true),
            .words = "share=9p:nine:/mnt/nine:access=any share=virtiofs:fs:/mnt/fs:noatime",
            .ready = "serial:micro: ready"};
  }

 private:
  Home& home_;
};

/// What the guest has mounted of its shares, and reads there.
std::string mounts(const Home& home) {
  const auto all = home.run({"exec", "web", "--", "sh", "-c",
                             "sed -n 's/^[0-9]* [0-9]* [0-9:]* //p' /proc/self/mountinfo | grep "
                             "/mnt/ | sort; cat /mnt/*/f"});
  CHECK(all.code == 0);
  return all.out;
}

bool marked(const Home& home) {
  return home.run({"exec", "web", "--", "test", "-e", "/tmp/mark"}).code == 0;
}

void mark(const Home& home) {
  CHECK(home.run({"exec", "web", "--", "touch", "/tmp/mark"}).code == 0);
}

}  // namespace

TEST_CASE("shares are taken from a guest while its state is saved, and come back as they were") {
  if (micro::skipped()) return;
  Home home;
  const Shared shared(home);
  if (!shared.can_virtiofs()) return micro::skip("virtiofsd is not installed");
  const Guest guest(home, "web", shared.recipe());
  const auto before = mounts(home);
  REQUIRE(contains(before, "by 9p"));
  REQUIRE(contains(before, "by virtiofs"));
  REQUIRE(contains(before, "access=any"));
  REQUIRE(contains(before, "noatime"));

  // Not asked for of virtiofs: refused, with the way out, and both are still there.
  const auto refused = home.run({"snapshot", "create", "web", "no"});
  CHECK(refused.code == 3);
  CHECK_MESSAGE(contains(refused.err, "--detach-shares"), refused.err);
  CHECK(mounts(home) == before);

  // In use: named, and nothing has happened.
  CHECK(home.run({"exec", "web", "--", "sh", "-c",
                  "cd /mnt/fs; setsid sleep 1000 </dev/null >/dev/null 2>&1 &"})
            .code == 0);
  const auto busy = home.run({"snapshot", "create", "web", "no", "--detach-shares"});
  CHECK(busy.code == 3);
  CHECK_MESSAGE(contains(busy.err, "it is used by sleep (pid "), busy.err);
  CHECK(contains(busy.err, "`/mnt/fs`"));
  CHECK(mounts(home) == before);
  CHECK(home.run({"snapshot", "list", "web", "--json"}).out == "[]\n");
  CHECK(home.run({"exec", "web", "--", "sh", "-c", "kill $(pidof sleep)"}).code == 0);

  const auto made = home.run({"snapshot", "create", "web", "clean", "--detach-shares"});
  CHECK_MESSAGE(made.code == 0, made.err);
  CHECK(mounts(home) == before);

  // Back to it in the same QEMU, keeping what is lost.
  mark(home);
  const auto back = home.run({"snapshot", "revert", "web", "clean"});
  CHECK_MESSAGE(back.code == 0, back.err);
  CHECK_FALSE(marked(home));
  CHECK(mounts(home) == before);

  // Suspended, and in a new QEMU.
  mark(home);
  const auto put_away = home.run({"suspend", "web", "--detach-shares"});
  CHECK_MESSAGE(put_away.code == 0, put_away.err);
  CHECK(guest.up().code == 0);
  CHECK(marked(home));
  CHECK(mounts(home) == before);
  CHECK(home.run({"kill", "web"}).code == 0);
  const auto from = guest.up({"--from", "clean"});
  CHECK_MESSAGE(from.code == 0, from.err);
  CHECK_FALSE(marked(home));
  CHECK(mounts(home) == before);

  // Killed in the middle: the next command gives them back.
  for (const std::string step : {"shares-unplugged", "shares-plugged"}) {
    home.environment = {"QLAUNCH_TEST_STOP_AT=" + step};
    const auto cut = home.start({"snapshot", "create", "web", "cut-" + step, "--detach-shares"});
    home.environment.clear();
    REQUIRE(eventually([&] { return qlaunch::stopped(cut.id); }));
    kill(cut.id.pid, SIGKILL);
    qlaunch::kill_and_reap(cut);
    const auto status = guest.status();
    CHECK_MESSAGE(status["problems"].empty(), step);
    CHECK_MESSAGE(mounts(home) == before, step);
  }
  CHECK(guest.get("state") == "running");

  // A folder that vanishes is told.
  REQUIRE(rename(home.file("nine").c_str(), home.file("gone").c_str()) == 0);
  const auto vanished = guest.status()["problems"];
  REQUIRE(vanished.size() == 1);
  CHECK(contains(vanished[0], "the folder of share `nine`"));
  CHECK(home.run({"kill", "web"}).code == 0);
}
