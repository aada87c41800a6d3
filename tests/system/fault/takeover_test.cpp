// SPDX-License-Identifier: MIT
// A keeper that was killed: the VM goes on, and the next command puts a new one beside it.
#include "fault/fault.hpp"
#include "host/files.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

using fault::events;
using fault::pid;
using fault::pids;
using fault::status;
using fault::Who;
using test::contains;
using test::eventually;
using test::Home;

namespace {

void lose_keeper(const Home& home) {
  fault::kill_for_sure(pid(home, Who::keeper));
  REQUIRE(pids(home, Who::keeper).empty());
}

}  // namespace

TEST_CASE("the next command puts a new keeper beside a VM, and says what nobody saw") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(eventually([&] { return events(home, "tiny", "STARTED").size() == 1; }));
  const int qemu = pid(home, Who::qemu);
  const int first = pid(home, Who::keeper);
  const auto before = events(home, "tiny", "STARTED").front()["time"].get<std::string>();
  lose_keeper(home);

  const auto said = home.run({"status", "tiny"});
  CHECK(said.code == 0);
  CHECK(contains(said.out, "which has taken over"));
  CHECK(contains(said.out, "was not seen"));
  const int second = pid(home, Who::keeper);
  CHECK(second != first);
  REQUIRE(eventually([&] { return events(home, "tiny", "WATCHING_AGAIN").size() == 1; }));
  const auto facts = status(home, "tiny");
  CHECK(facts["state"] == "running");
  CHECK(facts["pid"] == qemu);
  CHECK(facts["keeper"] == second);
  CHECK(facts["problems"].empty());
  const auto from = facts["unwatched"]["from"].get<std::string>();
  const auto until = facts["unwatched"]["until"].get<std::string>();
  CHECK(from >= before);
  CHECK(until > from);
  const auto replaced = events(home, "tiny", "KEEPER_REPLACED");
  REQUIRE(replaced.size() == 1);
  CHECK(replaced[0]["data"]["unseen_since"] == from);
  const auto again = events(home, "tiny", "WATCHING_AGAIN").front();
  CHECK(again["data"]["unseen_until"] == until);
  CHECK(again["data"]["state"] == "running");
  // What comes from now on is seen, and nothing is claimed of the time before.
  CHECK(events(home, "tiny", "STARTED").size() == 1);
  CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  CHECK(events(home, "tiny", "POWERDOWN").size() == 1);
  CHECK(events(home, "tiny", "SHUTDOWN").size() == 1);
  const auto end = status(home, "tiny")["last_end"];
  CHECK(end["reason"] == "guest-shutdown");
  CHECK(end["exit"].is_null());
  CHECK(home.runtime_files().empty());
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/tiny/keeper.json"));
  // The next run is another story.
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  CHECK(status(home, "tiny")["unwatched"].is_null());
}

TEST_CASE("ten commands at once put one keeper in place, each time it is killed") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int qemu = pid(home, Who::qemu);
  for (int round = 0; round < 4; ++round) {
    CAPTURE(round);
    lose_keeper(home);
    std::vector<qlaunch::Child> commands;
    for (int index = 0; index < 10; ++index)
      commands.push_back(home.start({index % 2 == 0 ? "status" : "list", "--json"}));
    for (const auto& command : commands) CHECK(fault::code_of(command) == 0);
    CHECK(pids(home, Who::keeper).size() == 1);
    CHECK(pid(home, Who::qemu) == qemu);
    CHECK(events(home, "tiny", "KEEPER_REPLACED").size() == static_cast<std::size_t>(round) + 1);
  }
  // All of them were put there by somebody, and the last one does its work.
  CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  CHECK(home.processes().empty());
}

TEST_CASE("a keeper that took over stops the guest when the host asks") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  lose_keeper(home);
  REQUIRE(home.run({"list"}).code == 0);
  kill(pid(home, Who::keeper), SIGTERM);
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  const auto end = status(home, "tiny")["last_end"];
  CHECK(end["reason"] == "host-shutdown");
  CHECK(end["text"] == "the guest powered off, as SIGTERM asked");
  CHECK(home.runtime_files().empty());
}

TEST_CASE("a keeper that took over cannot know how QEMU was killed, and says so") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  lose_keeper(home);
  REQUIRE(home.run({"list"}).code == 0);
  CHECK(pids(home, Who::helper).size() == 1);
  fault::kill_for_sure(pid(home, Who::qemu));
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  const auto end = status(home, "tiny")["last_end"];
  CHECK(end["reason"] == "unknown");
  CHECK(contains(end["text"], "how is not known"));
  CHECK(end["exit"].is_null());
  CHECK(home.runtime_files().empty());
}

TEST_CASE("a keeper that took over watches the helpers") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  lose_keeper(home);
  REQUIRE(home.run({"list"}).code == 0);
  fault::kill_for_sure(pid(home, Who::helper));
  REQUIRE(eventually([&] { return events(home, "tiny", "HELPER_EXITED").size() == 1; }));
  const auto exited = events(home, "tiny", "HELPER_EXITED").front()["data"];
  CHECK(exited["helper"] == "swtpm");
  CHECK(exited["exit"].is_null());
}

TEST_CASE("QEMU, its keeper and nobody who saw it: the next command says so and tidies up") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int qemu = pid(home, Who::qemu);
  lose_keeper(home);
  fault::kill_for_sure(qemu);
  const auto facts = status(home, "tiny");
  CHECK(facts["state"] == "stopped");
  CHECK(home.runtime_files().empty());
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(5)));
  CHECK(status(home, "tiny")["last_end"]["reason"] == "unknown");
  CHECK(events(home, "tiny", "RUN_LOST").size() == 1);
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/tiny/run.json"));
}

TEST_CASE("a keeper that is started by hand leaves the one there is alone") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  CHECK(home.run({"keeper", "tiny"}).code == 3);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int keeper = pid(home, Who::keeper);
  const auto second = home.run({"keeper", "tiny"});
  CHECK(second.code == 3);
  CHECK(contains(second.err, "one is enough"));
  CHECK(pid(home, Who::keeper) == keeper);
}

TEST_CASE("a new keeper does not wait for a QEMU that is frozen") {
  Home home;
  home.write("tiny.toml", fault::tiny("") + "[shutdown]\ntimeout = \"1s\"\n");
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int qemu = pid(home, Who::qemu);
  kill(qemu, SIGSTOP);
  lose_keeper(home);
  const auto facts = status(home, "tiny");
  CHECK(facts["state"] == "unresponsive");
  CHECK(facts["unwatched"]["until"].is_null());
  CHECK(pid(home, Who::keeper) > 1);
  SUBCASE("it answers later") {
    kill(qemu, SIGCONT);
    CHECK(eventually([&] { return events(home, "tiny", "WATCHING_AGAIN").size() == 1; }));
    CHECK_FALSE(status(home, "tiny")["unwatched"]["until"].is_null());
    CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  }
  SUBCASE("it never does") {
    kill(pid(home, Who::keeper), SIGHUP);
    CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(20)));
    CHECK(contains(status(home, "tiny")["last_end"]["text"], "killed after SIGHUP"));
  }
}
