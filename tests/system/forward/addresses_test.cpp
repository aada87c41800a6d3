// SPDX-License-Identifier: MIT
// What `status` tells of a real guest's addresses, and how long it takes.
#include "guest/micro.hpp"

#include <algorithm>
#include <chrono>

#include <doctest/doctest.h>

using micro::Guest;
using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// What is told of this address; null where it is not.
json address_of(const json& status, const std::string& address) {
  for (const auto& each : status["addresses"]) {
    if (each["address"] == address) return each;
  }
  return {};
}

/// Milliseconds; the best of five, as this machine may do something else for a moment.
double time_of(const Home& home, const std::vector<std::string>& words) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(home.run(words).code == 0);
    const auto end = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<double, std::milli>(end - begin).count());
  }
  return best;
}

}  // namespace

TEST_CASE("status tells a guest's addresses, and waits for no guest") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "where", {.ready = "agent"});
  // The agent has come this moment: `status` waits for its first answer, but not for long.
  nlohmann::json first;
  REQUIRE(test::eventually([&] {
    first = address_of(guest.status(), "10.0.2.15");
    return first.is_object();
  }));
  CHECK(first["interface"] == "eth0");
  CHECK(first["prefix"] == 24);
  CHECK(first["family"] == "ipv4");
  CHECK(first["by"] == "agent");
  CHECK(first["mac"] == guest.status()["macs"][0]);
  CHECK(guest.get("addresses.0.address") == "10.0.2.15");
  CHECK(contains(home.run({"status", "where"}).out, "eth0: 10.0.2.15/24"));
  CHECK(address_of(guest.status(), "127.0.0.1").is_null());

  // Asked again when the guest goes on, as its network may be another by then.
  guest.say("ip addr add 192.0.2.7/28 dev eth0");
  CHECK(home.run({"pause", "where"}).code == 0);
  CHECK(address_of(guest.status(), "10.0.2.15").is_object());
  CHECK(home.run({"resume", "where"}).code == 0);
  CHECK(eventually([&] { return address_of(guest.status(), "192.0.2.7").is_object(); }));

  // An agent that hangs costs `status` nothing, and what it told stays.
  guest.say("kill -STOP $(cat /run/qemu-ga.pid)");
  CHECK(home.run({"pause", "where"}).code == 0);
  CHECK(home.run({"resume", "where"}).code == 0);
  const double raw = time_of(home, {"qmp", "where", "query-status"});
  const double hung = time_of(home, {"status", "where", "--json"});
  MESSAGE("status: " << hung << " ms with an agent that hangs; one QMP command: " << raw << " ms");
  CHECK(hung < raw + 50);
  CHECK(address_of(guest.status(), "192.0.2.7").is_object());
  guest.say("kill -CONT $(cat /run/qemu-ga.pid)");
  guest.shut_down();
  CHECK(guest.status()["addresses"].empty());
}
