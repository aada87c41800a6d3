// SPDX-License-Identifier: MIT
// Signals to everybody at once, as at a logout or when a control group is stopped; helpers that
// die.
#include "fault/fault.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <unistd.h>

using fault::events;
using fault::pid;
using fault::pids;
using fault::status;
using fault::Who;
using test::contains;
using test::eventually;
using test::Home;

namespace {

void signal_all(const Home& home, const std::vector<int>& signals) {
  const auto all = home.processes();
  for (const int signal : signals) {
    for (const auto& process : all) kill(std::atoi(process.c_str()), signal);
  }
}

}  // namespace

TEST_CASE("a signal to every process of a run has the guest power off") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  std::string expected;
  SUBCASE("SIGTERM") {
    signal_all(home, {SIGTERM});
    expected = "the guest powered off, as SIGTERM asked";
  }
  SUBCASE("SIGHUP") {
    signal_all(home, {SIGHUP});
    expected = "the guest powered off, as SIGHUP asked";
  }
  SUBCASE("SIGINT") {
    signal_all(home, {SIGINT});
    expected = "the guest powered off, as SIGINT asked";
  }
  SUBCASE("all of them, as a logout does") {
    signal_all(home, {SIGHUP, SIGTERM, SIGHUP, SIGINT});
  }
  SUBCASE("after the keeper was replaced") {
    fault::kill_for_sure(pid(home, Who::keeper));
    REQUIRE(home.run({"list"}).code == 0);
    REQUIRE(pid(home, Who::keeper) > 1);
    signal_all(home, {SIGTERM});
    expected = "the guest powered off, as SIGTERM asked";
  }
  REQUIRE(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(30)));
  const auto end = status(home, "tiny")["last_end"];
  CHECK(end["reason"] == "host-shutdown");
  if (!expected.empty()) CHECK(end["text"] == expected);
  CHECK(contains(end["text"], "the guest powered off"));
  // The TPM saw the guest's shutdown through: it was not ended under it.
  CHECK(events(home, "tiny", "HELPER_EXITED").empty());
  CHECK(home.runtime_files().empty());
}

TEST_CASE("neither QEMU nor its helpers share a session with whoever has started them") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  for (const auto who : {Who::qemu, Who::helper, Who::keeper}) {
    CAPTURE(fault::name_of(who));
    const int each = pid(home, who);
    CHECK(getsid(each) == each);
  }
}

TEST_CASE("a helper that dies is an event, a problem in status, and ends nothing") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  CHECK(status(home, "tiny")["problems"].empty());
  fault::kill_for_sure(pid(home, Who::helper));
  REQUIRE(eventually([&] { return events(home, "tiny", "HELPER_EXITED").size() == 1; }));
  const auto data = events(home, "tiny", "HELPER_EXITED").front()["data"];
  CHECK(data["helper"] == "swtpm");
  CHECK(data["serves"] == "TPM");
  CHECK(data["exit"] == "killed by signal 9 (SIGKILL)");
  const auto facts = status(home, "tiny");
  REQUIRE(facts["problems"].size() == 1);
  CHECK(contains(facts["problems"][0], "swtpm"));
  CHECK(contains(facts["problems"][0], "killed by signal 9 (SIGKILL)"));
  CHECK(contains(facts["problems"][0], "TPM no longer works until the VM is started anew"));
  CHECK(facts["helpers"][0]["runs"] == false);
  CHECK(facts["helpers"][0]["exit"] == "killed by signal 9 (SIGKILL)");
  CHECK(contains(home.run({"status", "tiny"}).out, "no longer works"));
  CHECK(facts["state"] == "running");
  CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
}

TEST_CASE("a helper that ends with its QEMU is no event") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  for (const bool killed : {false, true}) {
    CAPTURE(killed);
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    if (killed) fault::kill_for_sure(pid(home, Who::qemu));
    if (!killed) REQUIRE(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
    REQUIRE(eventually([&] { return home.processes().empty(); }));
  }
  CHECK(events(home, "tiny", "ENDED").size() == 2);
  CHECK(events(home, "tiny", "HELPER_EXITED").empty());
}

TEST_CASE("QEMU's own last words are kept where it failed") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  kill(pid(home, Who::qemu), SIGABRT);
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  const auto end = status(home, "tiny")["last_end"];
  CHECK(end["reason"] == "signal");
  CHECK(contains(end["exit"], "killed by signal 6 (SIGABRT)"));
  CHECK(contains(end["text"], "SIGABRT"));
  const auto listed = nlohmann::json::parse(home.run({"list", "--json"}).out);
  CHECK(listed.at(0)["last_end"] == end);
  const auto told = events(home, "tiny", "ENDED").back()["data"];
  CHECK(told["reason"] == "signal");
  CHECK(told["exit"] == end["exit"]);
}
