// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

int pid_of(const Home& home, const std::string& vm) {
  return json::parse(home.run({"status", vm, "--json"}).out).at("pid");
}

/// The keeper's pid, from what runs in this home.
int keeper_of(const Home& home, const std::string& vm) {
  for (const auto& process : home.processes()) {
    if (contains(process, "keeper " + vm)) return std::atoi(process.c_str());
  }
  return 0;
}

std::string end_of(const Home& home, const std::string& vm) {
  return json::parse(home.run({"status", vm, "--json"}).out).at("last_end").at("text");
}

/// A guest that never hears its power button: firmware that finds nothing to boot.
constexpr auto deaf =
    "name = \"deaf\"\n[machine]\nmemory = \"64 MiB\"\n[[disk]]\nsize = \"1 MiB\"\n"
    "[[network]]\nmode = \"none\"\n[shutdown]\ntimeout = \"2s\"\n";

}  // namespace

TEST_CASE("a guest that does not obey keeps running unless force is asked for") {
  Home home;
  home.write("deaf.toml", deaf);
  REQUIRE(home.run({"up", "deaf.toml"}).code == 0);
  const auto refused = home.run({"shutdown", "deaf"});
  CHECK(refused.code == 4);
  CHECK(contains(refused.err, "still runs"));
  CHECK(contains(refused.err, "--force"));
  CHECK(home.run({"status", "deaf", "--get", "state"}).out == "running\n");

  const auto forced = home.run({"shutdown", "deaf", "--timeout", "1s", "--force"});
  CHECK(forced.code == 0);
  CHECK(home.run({"status", "deaf", "--get", "state"}).out == "stopped\n");
  CHECK(home.runtime_files().empty());
}

TEST_CASE("kill ends it at once and says how") {
  Home home;
  home.write("deaf.toml", deaf);
  REQUIRE(home.run({"up", "deaf.toml"}).code == 0);
  CHECK(home.run({"kill", "deaf"}).code == 0);
  CHECK(contains(end_of(home, "deaf"), "quit"));
  const auto again = home.run({"kill", "deaf"});
  CHECK(again.code == 3);
  CHECK(contains(again.err, "does not run"));
}

TEST_CASE("a keeper that is asked to stop stops the guest properly") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const int keeper = keeper_of(home, "hello");
  REQUIRE(keeper > 1);
  for (const int signal : {SIGHUP, SIGTERM}) kill(keeper, signal);
  CHECK(home.run({"wait", "hello", "--for", "stopped", "--timeout", "60s"}).code == 0);
  CHECK(contains(end_of(home, "hello"), "the guest powered off"));
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
}

TEST_CASE("a signal to all of a VM's processes reaches only the keeper") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  for (const auto& process : home.processes()) kill(std::atoi(process.c_str()), SIGTERM);
  CHECK(home.run({"wait", "hello", "--for", "stopped", "--timeout", "60s"}).code == 0);
  // Had QEMU heard it too, it would have ended without asking the guest.
  CHECK(contains(end_of(home, "hello"), "the guest powered off"));
}

TEST_CASE("how QEMU was killed is known afterwards") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  kill(pid_of(home, "hello"), SIGKILL);
  CHECK(home.run({"wait", "hello", "--for", "stopped", "--timeout", "60s"}).code == 0);
  CHECK(contains(end_of(home, "hello"), "SIGKILL"));
  CHECK(home.runtime_files().empty());
  CHECK(home.run({"hello"}).code == 0);
}

TEST_CASE("a VM goes on without its keeper and can still be stopped") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  kill(keeper_of(home, "hello"), SIGKILL);
  REQUIRE(eventually([&] { return keeper_of(home, "hello") == 0; }));
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "running\n");
  CHECK(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
}

TEST_CASE("a run that ended with nobody watching does not block the next one") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const int qemu = pid_of(home, "hello");
  kill(keeper_of(home, "hello"), SIGKILL);
  REQUIRE(eventually([&] { return keeper_of(home, "hello") == 0; }));
  kill(qemu, SIGKILL);
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "stopped\n");
  CHECK(home.run({"hello"}).code == 0);
}

TEST_CASE("waiting tells what it waited for") {
  Home home;
  home.write("deaf.toml", deaf);
  REQUIRE(home.run({"up", "deaf.toml"}).code == 0);
  const auto late = home.run({"wait", "deaf", "--for", "serial:never said", "--timeout", "300ms"});
  CHECK(late.code == 4);
  CHECK(contains(late.err, "never said"));
  CHECK(home.run({"wait", "deaf", "--for", "ssh", "--timeout", "1s"}).code == 3);
  CHECK(home.run({"wait", "deaf", "--for", "agent", "--timeout", "1s"}).code == 4);
  CHECK(home.run({"wait", "deaf", "--for", "stopped", "--timeout", "300ms"}).code == 4);
  CHECK(home.run({"wait", "deaf", "--for", "the moon"}).code == 2);
  CHECK(home.run({"wait", "deaf", "--for", "started"}).code == 0);

  const auto waiting = home.start({"wait", "deaf", "--for", "stopped", "--timeout", "60s"});
  REQUIRE(home.run({"kill", "deaf"}).code == 0);
  CHECK(qlaunch::reap(waiting, std::chrono::steady_clock::now() + std::chrono::minutes(1)) == 0);
}
