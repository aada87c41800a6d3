// SPDX-License-Identifier: MIT
// Guest agents that are not there, fall silent in the middle, or may not do what they are asked.
#include "guest/micro.hpp"

#include <chrono>

#include <doctest/doctest.h>

using micro::Guest;
using test::contains;
using test::Home;

namespace {

/// Starts the guest's agent anew, with these words.
void restart_agent(const Guest& guest, const std::string& words) {
  guest.say(
      "kill -9 $(pidof qemu-ga); rm -f /run/qemu-ga.pid; qemu-ga -d -m virtio-serial -p "
      "/dev/vport0p1 -t /run -f /run/qemu-ga.pid " +
      words);
  const auto answers = guest.wait("agent");
  CHECK_MESSAGE(answers.code == 0, answers.err);
}

}  // namespace

TEST_CASE("exec: an agent that is silent, forbidden to, or not there is told apart") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "web", {});
  REQUIRE(guest.wait("agent").code == 0);

  REQUIRE(home.run({"pause", "web"}).code == 0);
  const auto paused = home.run({"exec", "web", "--", "true"});
  CHECK(paused.code == 125);
  CHECK_MESSAGE(contains(paused.err, "stands still"), paused.err);
  REQUIRE(home.run({"resume", "web"}).code == 0);

  // It stops in the middle of a transfer.
  const auto begun = std::chrono::steady_clock::now();
  const auto frozen = home.run({"exec", "web", "--", "sh", "-c",
                                "head -c 100000 /dev/zero; usleep 300000; kill -STOP $(pidof "
                                "qemu-ga); exec cat /dev/zero"});
  CHECK(frozen.code == 125);
  CHECK(frozen.out.size() >= 100000);
  CHECK_MESSAGE(contains(frozen.err, "stopped answering in the middle of it"), frozen.err);
  CHECK(contains(frozen.err, "the command may still run in the guest"));
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(40));
  // With the shells around it, which would make a file anew.
  guest.say(
      "kill -CONT $(pidof qemu-ga); read -r pid name state parent group rest </proc/$(pidof "
      "cat)/stat; kill -9 -$group; rm -f /run/qlaunch-exec-*");
  REQUIRE(guest.wait("agent").code == 0);
  CHECK(home.run({"exec", "web", "--", "echo", "again"}).out == "again\n");

  // Commands that its configuration forbids.
  for (const std::string blocked : {"guest-exec", "guest-file-read"}) {
    restart_agent(guest, "-b " + blocked);
    const auto refused = home.run({"exec", "web", "--", "echo", "said"});
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK_MESSAGE(contains(refused.err, blocked), refused.err);
    CHECK(contains(refused.err, "block-rpcs"));
  }
  restart_agent(guest, "");
  // What was refused in the middle has left nothing.
  CHECK(guest.say("ls /run /tmp | grep -c qlaunch-exec; :") == "0");

  // A full disk for the files is no loss of output that nobody hears of.
  guest.say("mount -t tmpfs -o size=300k none /run");
  const auto full = home.run({"exec", "web", "--", "head", "-c", "2000000", "/dev/zero"});
  CHECK(full.code == 125);
  CHECK_MESSAGE(contains(full.err, "lost some of the command's output"), full.err);
  // Nor is an agent that cannot open files: this one keeps count of them in /run.
  guest.say("mount -o remount,ro /run");
  const auto shut = home.run({"exec", "web", "--", "echo", "said"});
  CHECK(shut.code == 125);
  CHECK_MESSAGE(contains(shut.err, "does not hand over the output"), shut.err);
  guest.say("umount /run");

  guest.say("kill $(pidof qemu-ga)");
  const auto absent = home.run({"exec", "web", "--", "true"});
  CHECK(absent.code == 125);
  CHECK_MESSAGE(contains(absent.err, "no guest agent runs in VM `web`"), absent.err);
  CHECK(contains(absent.err, "qemu-guest-agent"));
}

TEST_CASE("exec: a VM that has no place for an agent says so") {
  Home home;
  home.write("bare.toml", "extends = \"hello\"\nname = \"bare\"\nmachine.guest_agent = false\n");
  REQUIRE(home.run({"up", "bare.toml"}).code == 0);
  const auto none = home.run({"exec", "bare", "--", "true"});
  CHECK(none.code == 125);
  CHECK(contains(none.err, "guest_agent = true"));
}
