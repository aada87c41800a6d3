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
    home.write("fs/nine/f", "hidden");
  }

  bool can_virtiofs() const {
    home_.write("probe.toml", micro::share("fs", home_.file("fs"), "virtiofs", false));
    return !contains(home_.run({"check", "probe.toml"}).err, "virtiofsd");
  }

  /// With 9p to be detached by itself, and virtiofs only where that is asked for. The one that the
  /// profile names first is mounted in the other.
  micro::Recipe recipe() const {
    return {.body = micro::share("nine", home_.file("nine"), "9p", false) +
                    "on_snapshot = \"detach\"\n" +
                    micro::share("fs", home_.file("fs"), "virtiofs", true),
            .words = "share=virtiofs:fs:/mnt/fs:noatime share=9p:nine:/mnt/fs/nine:access=any",
            .ready = "serial:micro: ready"};
  }

 private:
  Home& home_;
};

test::Result ask_mounts(const Home& home) {
  return home.run({"exec", "web", "--", "sh", "-c",
                   "sed -n 's/^[0-9]* [0-9]* [0-9:]* //p' /proc/self/mountinfo | grep /mnt/; cat "
                   "/mnt/fs/f /mnt/fs/nine/f"});
}

/// What the guest has mounted of its shares, in their order, and reads there.
std::string mounts(const Home& home) {
  const auto all = ask_mounts(home);
  CHECK(all.code == 0);
  return all.out;
}

bool has(const Home& home, const std::string& mounts) {
  return ask_mounts(home).out == mounts;
}

bool marked(const Home& home) {
  return home.run({"exec", "web", "--", "test", "-e", "/tmp/mark"}).code == 0;
}

void mark(const Home& home) {
  CHECK(home.run({"exec", "web", "--", "touch", "/tmp/mark"}).code == 0);
}

void killed_at(Home& home, const std::string& step, const std::vector<std::string>& words) {
  home.environment = {"QLAUNCH_TEST_STOP_AT=" + step};
  const auto cut = home.start(words);
  home.environment.clear();
  REQUIRE(eventually([&] { return qlaunch::stopped(cut.id); }));
  kill(cut.id.pid, SIGKILL);
  qlaunch::kill_and_reap(cut);
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

  // Its start is killed when the guest runs already: before and after the state is forgotten.
  for (const std::string step : {"wake-running", "wake-forgotten"}) {
    REQUIRE(home.run({"suspend", "web", "--detach-shares"}).code == 0);
    killed_at(home, step, {"up", "web"});
    // The keeper may be at it still.
    CHECK_MESSAGE(
        eventually([&] { return guest.status()["problems"].empty() && has(home, before); }), step);
    CHECK_MESSAGE(marked(home), step);
  }
  CHECK(home.run({"kill", "web"}).code == 0);
  const auto from = guest.up({"--from", "clean"});
  CHECK_MESSAGE(from.code == 0, from.err);
  CHECK_FALSE(marked(home));
  CHECK(mounts(home) == before);

  // Killed in the middle: the next command gives them back.
  for (const std::string step : {"shares-unplugged", "shares-plugged"}) {
    killed_at(home, step, {"snapshot", "create", "web", "cut-" + step, "--detach-shares"});
    // What is saved meanwhile would not know of them.
    CHECK(home.run({"pause", "web"}).code == 0);
    const auto without = home.run({"snapshot", "create", "web", "without"});
    CHECK(without.code == 3);
    CHECK_MESSAGE(contains(without.err, "does not have shares `nine` and `fs` back"), without.err);
    CHECK(home.run({"resume", "web"}).code == 0);
    const auto status = guest.status();
    CHECK_MESSAGE(status["problems"].empty(), step);
    CHECK_MESSAGE(mounts(home) == before, step);
  }
  CHECK(guest.get("state") == "running");

  // A guest that stands still cannot let go of its device: it is another QEMU that goes back.
  CHECK(home.run({"pause", "web"}).code == 0);
  const auto anew = home.run({"snapshot", "revert", "web", "clean", "--discard"});
  CHECK_MESSAGE(anew.code == 0, anew.err);
  CHECK_MESSAGE(contains(anew.err, "started anew"), anew.err);
  CHECK(mounts(home) == before);

  // A folder that vanishes is told.
  REQUIRE(rename(home.file("nine").c_str(), home.file("gone").c_str()) == 0);
  const auto vanished = guest.status()["problems"];
  REQUIRE(vanished.size() == 1);
  CHECK(contains(vanished[0], "the folder of share `nine`"));
  CHECK(home.run({"kill", "web"}).code == 0);
}
