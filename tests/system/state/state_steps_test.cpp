// SPDX-License-Identifier: MIT
// SIGKILL for each process at each step of a suspend and of going on from it: the VM is suspended
// whole, or it runs, or it has stopped with its disks as they were.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/process.hpp"

#include <csignal>

#include <doctest/doctest.h>

using fault::Who;
using test::contains;
using test::eventually;
using test::Home;

namespace {

enum class By { suspend, wake };
/// What may be true afterwards.
enum After { runs = 1, suspended = 2, stopped = 4 };

struct Case {
  const char* step;
  By by;
  /// Where whoever stands there is killed, its keeper, its QEMU, both it and QEMU.
  int killed, keeper, qemu, both;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"suspend-marked", By::suspend, runs, suspended, stopped, stopped},
      {"suspend-stopped", By::suspend, runs, suspended, stopped, stopped},
      {"state-begun", By::suspend, runs, suspended, stopped, stopped},
      // QEMU has written it all and is not needed any more.
      {"state-written", By::suspend, runs, suspended, suspended, stopped},
      {"suspend-kept", By::suspend, suspended, suspended, suspended, suspended},
      {"suspend-ended", By::suspend, suspended, suspended, suspended, suspended},
      // It has a QEMU that waits, and can be told to go on or to end.
      {"wake-loaded", By::wake, runs, runs, suspended, suspended},
      {"wake-marked", By::wake, runs, runs, suspended, suspended},
      {"wake-running", By::wake, runs, runs, suspended | stopped, suspended | stopped},
      {"wake-forgotten", By::wake, runs, runs, stopped, stopped},
  };
  return all;
}

std::string state_of(const Home& home) {
  return std::string(qlaunch::trim(home.run({"status", "tiny", "--get", "state"}).out));
}

int word(const std::string& state) {
  return state == "running"     ? runs
         : state == "suspended" ? suspended
         : state == "stopped"   ? stopped
                                : 0;
}

void play(const Case& each, bool self, bool keeper, bool qemu, int expected) {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  if (each.by == By::wake) REQUIRE(home.run({"suspend", "tiny"}).code == 0);
  home.environment = {std::string("QLAUNCH_TEST_STOP_AT=") + each.step};
  const auto command = each.by == By::wake ? home.start({"up", "tiny", "--no-wait"})
                                           : home.start({"suspend", "tiny"});
  const int there = fault::stopped_at_step(home);
  home.environment.clear();
  REQUIRE_MESSAGE(there > 1, "nobody came to this step");
  if (keeper)
    for (const int pid : fault::pids(home, Who::keeper)) fault::kill_for_sure(pid);
  if (qemu)
    for (const int pid : fault::pids(home, Who::qemu)) fault::kill_for_sure(pid);
  if (self) {
    fault::kill_for_sure(there);
  } else {
    kill(there, SIGCONT);
  }
  REQUIRE(fault::ended(command));
  fault::code_of(command);

  std::string state;
  CHECK_MESSAGE(eventually(
                    [&] {
                      state = state_of(home);
                      return (word(state) & expected) != 0;
                    },
                    std::chrono::seconds(20)),
                state);
  CHECK((state == "running") == !fault::pids(home, Who::qemu).empty());
  const auto up = home.run({"up", "tiny"});
  CHECK_MESSAGE(up.code == 0, up.err);
  CHECK(contains(up.out, "goes on from") == (state == "suspended"));
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

}  // namespace

TEST_CASE("every step of a suspend and of going on is in the table") {
  const Home home;
  std::vector<std::string> steps, known;
  for (const auto& step : qlaunch::split(home.run({"keeper", "--steps"}).out, '\n')) {
    if (step.starts_with("suspend-") || step.starts_with("state-") || step.starts_with("wake-"))
      steps.push_back(step);
  }
  for (const auto& each : cases()) known.emplace_back(each.step);
  CHECK(steps == known);
}

TEST_CASE("whoever is killed while a VM is suspended or goes on, it is in one whole state") {
  for (const auto& each : cases()) {
    const std::string step = each.step;
    // Where the keeper has something to learn.
    const bool telling = step == "state-begun" || step == "suspend-kept" || step == "wake-loaded";
    SUBCASE(each.step) {
      CAPTURE(step);
      SUBCASE("whoever stands there is killed") {
        play(each, true, false, false, each.killed);
      }
      SUBCASE("QEMU is killed") {
        play(each, false, false, true, each.qemu);
      }
      if (!telling) continue;
      SUBCASE("the keeper is killed") {
        play(each, false, true, false, each.keeper);
      }
      SUBCASE("whoever stands there and QEMU are killed") {
        play(each, true, false, true, each.both);
      }
      SUBCASE("whoever stands there and the keeper are killed") {
        play(each, true, true, false, each.killed);
      }
    }
  }
}

TEST_CASE(
    "a suspend that is repeated at once after one was killed, and undone, leaves the guest "
    "running") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  home.environment = {"QLAUNCH_TEST_STOP_AT=suspend-stopped"};
  const auto first = home.start({"suspend", "tiny"});
  const int there = fault::stopped_at_step(home);
  home.environment.clear();
  REQUIRE(there > 1);
  // It has yet to hear of it.
  const int keeper = fault::pid(home, Who::keeper);
  kill(keeper, SIGSTOP);
  fault::kill_for_sure(there);
  REQUIRE(fault::ended(first));
  fault::code_of(first);
  home.environment = {"QLAUNCH_TEST_STOP_AT=state-begun"};
  const auto again = home.start({"suspend", "tiny"});
  int second = 0;
  REQUIRE(eventually([&] {
    for (const auto& process : home.processes()) {
      const int pid = std::atoi(process.c_str());
      const auto id = qlaunch::identify(pid);
      if (pid != keeper && id && qlaunch::stopped(*id)) second = pid;
    }
    return second != 0;
  }));
  home.environment.clear();
  kill(second, SIGINT);
  kill(second, SIGCONT);
  kill(keeper, SIGCONT);
  REQUIRE(fault::ended(again));
  CHECK(fault::code_of(again) == 130);
  // It ran before the first of them.
  CHECK(state_of(home) == "running");
  CHECK(home.run({"kill", "tiny"}).code == 0);
  CHECK(eventually([&] { return home.processes().empty(); }));
}
