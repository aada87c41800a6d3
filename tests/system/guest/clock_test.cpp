// SPDX-License-Identifier: MIT
// A guest's clock after its time stood still.
#include "guest/micro.hpp"
#include "qmp/sync.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>

#include <doctest/doctest.h>

#include <poll.h>

using micro::Guest;
using test::eventually;
using test::Home;

namespace {

/// How many seconds the guest's clock is behind this host's.
double behind(const Guest& guest) {
  const double before =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto now = std::stod(guest.say("date +%s"));
  return before - now;
}

}  // namespace

TEST_CASE("a guest with an agent is told the time after a pause") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "clock", {.ready = "agent"});
  // It starts with the time of the host, in whole seconds of its hardware clock.
  CHECK(std::abs(behind(guest)) < 3);
  {
    qmp::SyncClient qemu(home.path() + "/run/clock/qmp.sock");
    qemu.execute("stop");
    // Time is what this test is about.
    poll(nullptr, 0, 5000);
    qemu.execute("cont");
  }
  CHECK(eventually([&] { return guest.events("CLOCK_SET") == 1; }, std::chrono::seconds(40)));
  CHECK(std::abs(behind(guest)) < 3);
  CHECK(guest.events("CLOCK_NOT_SET") == 0);
  // A moment's pause is nothing to set a clock for.
  {
    qmp::SyncClient qemu(home.path() + "/run/clock/qmp.sock");
    qemu.execute("stop");
    qemu.execute("cont");
  }
  CHECK(eventually([&] { return guest.events("RESUME") >= 2; }));
  CHECK(guest.events("CLOCK_SET") == 1);
}
