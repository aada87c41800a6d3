// SPDX-License-Identifier: MIT
// What acts on a running VM, seen from inside a real Linux.
#include "guest/micro.hpp"

#include <cstdlib>
#include <ctime>

#include <doctest/doctest.h>

using micro::Guest;
using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

constexpr auto cd_drive = "[[disk]]\nname = \"cd\"\nmedia = \"cdrom\"\nbus = \"scsi\"\n";

std::string boot_of(const Guest& guest) {
  return guest.say("cat /proc/sys/kernel/random/boot_id");
}

}  // namespace

TEST_CASE("a guest is rebooted by its agent, and by its button where the agent cannot") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "deaf", {.ready = "agent"});
  const auto first = boot_of(guest);
  const auto pid = guest.status()["pid"];
  // Nobody hears the button.
  guest.say("killall acpid");
  const auto rebooted = home.run({"reboot", "deaf", "--timeout", "60s"});
  CHECK_MESSAGE(rebooted.code == 0, rebooted.err);
  REQUIRE(guest.wait("ssh").code == 0);
  REQUIRE(guest.wait("agent").code == 0);
  CHECK(boot_of(guest) != first);
  CHECK(guest.status()["pid"] == pid);
  CHECK(guest.events("POWERDOWN") == 0);

  guest.say("rm /bin/shutdown");
  guest.shut_down();
  CHECK(guest.events("POWERDOWN") >= 1);
}

TEST_CASE("a guest that was paused gets the time when it is resumed") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "late", {.ready = "agent"});
  guest.say("date -s '2001-02-03 04:05:06'");
  CHECK(guest.say("date +%Y") == "2001");
  REQUIRE(home.run({"pause", "late"}).code == 0);
  CHECK(home.run({"resume", "late"}).out == "late: runs again, its clock set\n");
  const auto off = std::labs(std::atol(guest.say("date +%s").c_str()) - std::time(nullptr));
  CHECK(off < 60);
}

TEST_CASE("a forward that is added leads into the guest") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "open", {});
  const auto added = json::parse(home.run({"forward", "add", "open", "auto:22", "--json"}).out);
  const auto port = added.at(0).at("host_port").get<int>();
  const auto banner = qlaunch::run_and_capture(
      {"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port) + "; head -c 4 <&3"});
  CHECK(banner.out == "SSH-");
}

TEST_CASE("a medium is read in the guest, which can hold its drive shut") {
  if (micro::skipped()) return;
  Home home;
  home.write("one.iso", std::string(65536, '1'));
  home.write("two.iso", std::string(65536, '2'));
  const Guest guest(home, "drives", {.body = cd_drive, .ready = "serial:micro: ready"});
  const auto seen = [&] { return guest.ssh("dd if=/dev/sr0 bs=2048 count=1 | head -c 3").out; };
  REQUIRE(home.run({"media", "insert", "drives", "one.iso"}).code == 0);
  CHECK(eventually([&] { return seen() == "111"; }));
  REQUIRE(home.run({"media", "insert", "drives", "two.iso"}).code == 0);
  CHECK(eventually([&] { return seen() == "222"; }));

  guest.say("sleep 1000 </dev/sr0 >/dev/null 2>&1 &");
  REQUIRE(eventually([&] {
    return contains(home.run({"media", "list", "drives"}).out, "locked by the guest");
  }));
  const auto refused = home.run({"media", "eject", "drives"});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "holds drive `cd` shut"));
  CHECK(contains(refused.err, "--force"));
  CHECK(contains(home.run({"media", "list", "drives"}).out, "two.iso"));
  const auto forced = home.run({"media", "insert", "drives", "one.iso", "--force"});
  CHECK_MESSAGE(forced.code == 0, forced.err);
  guest.say("killall sleep");
  CHECK(eventually([&] { return seen() == "111"; }));
}
