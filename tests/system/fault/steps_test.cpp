// SPDX-License-Identifier: MIT
// SIGKILL for each process of a VM at each step of its launch, its stop and its takeover. The steps
// are those that the binary names.
#include "core/text.hpp"
#include "fault/fault.hpp"

#include <algorithm>
#include <csignal>
#include <set>

#include <doctest/doctest.h>

using fault::pid;
using fault::pids;
using fault::Who;
using test::eventually;
using test::Home;

namespace {

/// How the step is reached.
enum class By { launch, stop, quit, end, takeover };

struct Case {
  const char* step;
  By by;
  Who stops;                // whoever gets there
  std::vector<Who> others;  // who else is killed, one at a time, while that one stands there
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"launch-locked", By::launch, Who::launcher, {}},
      {"launch-cleared", By::launch, Who::launcher, {}},
      {"launch-prepared", By::launch, Who::launcher, {}},
      {"launch-forked", By::launch, Who::launcher, {Who::keeper, Who::qemu, Who::helper}},
      {"launch-reported", By::launch, Who::launcher, {Who::keeper, Who::qemu, Who::helper}},
      {"launch-obeyed", By::launch, Who::launcher, {Who::keeper, Who::qemu, Who::helper}},
      {"launch-done", By::launch, Who::launcher, {Who::keeper, Who::qemu, Who::helper}},
      {"keeper-born", By::launch, Who::keeper, {Who::launcher}},
      {"helper-started", By::launch, Who::keeper, {Who::launcher, Who::helper}},
      {"helper-ready", By::launch, Who::keeper, {Who::launcher, Who::helper}},
      {"qemu-started", By::launch, Who::keeper, {Who::launcher, Who::qemu, Who::helper}},
      {"run-recorded", By::launch, Who::keeper, {Who::launcher, Who::qemu, Who::helper}},
      {"run-reported", By::launch, Who::keeper, {Who::launcher, Who::qemu, Who::helper}},
      {"keeper-watching", By::launch, Who::keeper, {Who::launcher, Who::qemu, Who::helper}},
      {"keeper-connected", By::launch, Who::keeper, {Who::qemu, Who::helper}},
      {"stop-asked", By::stop, Who::keeper, {Who::qemu, Who::helper}},
      {"stop-pressed", By::stop, Who::keeper, {Who::qemu, Who::helper}},
      {"stop-quit", By::quit, Who::keeper, {Who::helper}},
      {"qemu-ended", By::end, Who::keeper, {Who::helper}},
      {"helpers-ended", By::end, Who::keeper, {}},
      {"end-recorded", By::end, Who::keeper, {}},
      {"runtime-removed", By::end, Who::keeper, {}},
      {"run-forgotten", By::end, Who::keeper, {}},
      {"takeover-locked", By::takeover, Who::command, {Who::qemu, Who::helper}},
      {"takeover-recorded", By::takeover, Who::keeper, {Who::qemu, Who::helper}},
  };
  return all;
}

std::vector<std::string> steps_of_binary(const Home& home) {
  auto steps = qlaunch::split(home.run({"keeper", "--steps"}).out, '\n');
  std::erase(steps, std::string());
  // Those of saved states have a table of their own: see state/state_steps_test.cpp.
  std::erase_if(steps, [](const std::string& step) {
    return step.starts_with("suspend-") || step.starts_with("state-") ||
           step.starts_with("wake-") || step.starts_with("warm-");
  });
  return steps;
}

std::string profile_for(By by) {
  // One whose guest does not obey is ended by `quit` after a moment.
  if (by != By::quit) return fault::with_helper();
  return "name = \"tiny\"\n[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\ntpm = true\n"
         "[[disk]]\nname = \"root\"\nsize = \"1 MiB\"\n[[network]]\nmode = \"none\"\n"
         "[shutdown]\ntimeout = \"200ms\"\n";
}

/// Brings the VM to the step; returns who stands there, stopped.
int reach(Home& home, const Case& each, std::optional<qlaunch::Child>& command) {
  home.write("tiny.toml", profile_for(each.by));
  const auto stop_there = std::string("QLAUNCH_TEST_STOP_AT=") + each.step;
  if (each.by == By::launch) {
    home.environment = {stop_there};
    command = home.start({"up", "tiny.toml", "--no-wait"});
    const int stopped = fault::stopped_at_step(home);
    home.environment.clear();
    return stopped;
  }
  // The keeper has it from its launcher.
  if (each.by != By::takeover) home.environment = {stop_there};
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  home.environment.clear();
  if (each.by == By::stop || each.by == By::quit) kill(pid(home, Who::keeper), SIGTERM);
  if (each.by == By::end) kill(pid(home, Who::qemu), SIGKILL);
  if (each.by == By::takeover) {
    fault::kill_for_sure(pid(home, Who::keeper));
    home.environment = {stop_there};
    command = home.start({"status", "tiny"});
  }
  const int stopped = fault::stopped_at_step(home);
  home.environment.clear();
  return stopped;
}

/// Kills `victim` at the step (or whoever stands there), lets the others go on, and looks.
void play(const Case& each, std::optional<Who> victim) {
  Home home;
  std::optional<qlaunch::Child> command;
  const int stopped = reach(home, each, command);
  REQUIRE_MESSAGE(stopped > 1, "nobody came to this step");
  if (victim) {
    const auto found = pids(home, *victim);
    // At some steps it may not be there yet, or not any more.
    for (const int each_pid : found) fault::kill_for_sure(each_pid);
    kill(stopped, SIGCONT);
  } else {
    fault::kill_for_sure(stopped);
  }
  if (command) REQUIRE(fault::ended(*command));
  if (command) fault::code_of(*command);
  fault::expect_truth(home, "tiny");
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

}  // namespace

TEST_CASE("every step of the binary is in the table") {
  const Home home;
  std::vector<std::string> known;
  for (const auto& each : cases()) known.emplace_back(each.step);
  CHECK(steps_of_binary(home) == known);
}

TEST_CASE("whoever is killed at whatever step, the truth is known and the VM can be started") {
  for (const auto& each : cases()) {
    SUBCASE(each.step) {
      CAPTURE(each.step);
      SUBCASE("whoever stands there is killed") {
        play(each, std::nullopt);
      }
      for (const auto other : each.others) {
        SUBCASE(fault::name_of(other)) {
          CAPTURE(fault::name_of(other));
          play(each, other);
        }
      }
    }
  }
}
