// SPDX-License-Identifier: MIT
// How a real Linux ends or starts anew, and what qlaunch says of it.
#include "guest/micro.hpp"

#include <doctest/doctest.h>

using micro::Guest;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// Typed on the serial port: an ssh session would hang where its guest does not say goodbye.
void type(const Home& home, const Guest& guest, const std::string& command) {
  CHECK(home.run_with_input({"console", guest.name()}, command + '\r').code == 0);
}

/// Until the guest has said so often that it is there.
bool booted(const Guest& guest, std::size_t times) {
  const std::string mark = "micro: ready";
  return eventually([&] {
    const auto log = guest.serial();
    std::size_t found = 0;
    for (auto at = log.find(mark); at != std::string::npos; at = log.find(mark, at + 1)) ++found;
    return found >= times;
  });
}

std::string this_boot(const Guest& guest) {
  return guest.say("cat /proc/sys/kernel/random/boot_id");
}

}  // namespace

TEST_CASE("a guest that reboots, or crashes and reboots, does not end its VM") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "again", {.ready = "serial:micro: ready"});
  const auto pid = guest.status()["pid"];
  const auto first = this_boot(guest);

  type(home, guest, "reboot -f");
  REQUIRE(booted(guest, 2));
  CHECK(guest.status()["pid"] == pid);
  CHECK(guest.get("state") == "running");
  CHECK(guest.events("GUEST_PANICKED") == 0);
  const auto second = this_boot(guest);
  CHECK(second != first);

  type(home, guest, "echo c > /proc/sysrq-trigger");
  REQUIRE(booted(guest, 3));
  CHECK(guest.events("GUEST_PANICKED") == 1);
  CHECK(guest.status()["pid"] == pid);
  CHECK(this_boot(guest) != second);
  CHECK(guest.status()["problems"].empty());

  // It recovered from the crash: that is not why it ends.
  type(home, guest, "poweroff -f");
  CHECK(guest.wait("stopped").code == 0);
  CHECK(guest.get("last_end.text") == "the guest powered off");
}

TEST_CASE("a guest that crashed and stays so is told by its end") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "crash", {.words = "panic=0", .ready = "serial:micro: ready"});
  type(home, guest, "echo c > /proc/sysrq-trigger");
  REQUIRE(eventually([&] { return guest.events("GUEST_PANICKED") == 1; }));
  CHECK(contains(guest.serial(), "Kernel panic"));
  const auto status = guest.status();
  REQUIRE(status["problems"].size() == 1);
  const auto problem = status["problems"][0].get<std::string>();
  CHECK_MESSAGE(problem.starts_with("the guest panicked at 2"), problem);
  CHECK_MESSAGE(contains(problem, "; it does nothing any more"), problem);
  CHECK(contains(home.run({"status", "crash"}).out, "the guest panicked at 2"));
  CHECK(home.run({"shutdown", "crash", "--timeout", "500ms"}).code == 4);
  CHECK(home.run({"kill", "crash"}).code == 0);
  CHECK(guest.get("last_end.reason") == "guest-panic");
  CHECK(contains(guest.get("last_end.text"), "panicked"));
  CHECK(guest.status()["problems"].empty());
  // The next run is another story, in the same journal.
  REQUIRE(guest.up().code == 0);
  CHECK(guest.status()["problems"].empty());
}
