// SPDX-License-Identifier: MIT
// Many VMs at once: started together, listed, stopped together; one that is frozen holds up none.
#include "core/text.hpp"
#include "fault/fault.hpp"

#include <chrono>
#include <csignal>
#include <set>

#include <doctest/doctest.h>

using fault::pids;
using fault::Who;
using nlohmann::json;
using test::eventually;
using test::Home;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::vector<std::string> names(int count) {
  std::vector<std::string> all;
  for (int index = 0; index < count; ++index) all.push_back("vm" + std::to_string(index));
  return all;
}

void start_all(const Home& home, const std::vector<std::string>& all) {
  std::vector<qlaunch::Child> launches;
  for (const auto& name : all)
    launches.push_back(home.start({"up", "tiny.toml", "--name", name, "--no-wait"}));
  for (const auto& launch : launches) CHECK(fault::code_of(launch) == 0);
}

std::set<std::string> states(const json& listed) {
  std::set<std::string> found;
  for (const auto& each : listed) found.insert(each["state"].get<std::string>());
  return found;
}

}  // namespace

TEST_CASE("forty VMs are started, listed and stopped at once, and nothing is left") {
  Home home;
  const auto all = names(40);
  const auto body = fault::tiny();
  // Each with a port that the host chooses: none may be chosen twice.
  home.write("tiny.toml",
             body.substr(0, body.find("[[network]]")) + "[[network]]\nforward = [\"auto:22\"]\n");
  // What QEMU can do is found out once, not forty times.
  REQUIRE(home.run({"up", "tiny.toml", "--name", "vm0", "--no-wait"}).code == 0);
  REQUIRE(home.run({"kill", "vm0"}).code == 0);
  start_all(home, all);
  const auto listed = json::parse(home.run({"list", "--json"}).out);
  REQUIRE(listed.size() == all.size());
  CHECK(states(listed) == std::set<std::string>{"running"});
  std::set<int> ports;
  for (const auto& each : listed) ports.insert(each["ssh_port"].get<int>());
  CHECK(ports.size() == all.size());
  CHECK(ports.count(0) == 0);

  // Keepers that all end at once, as where memory was short, are all replaced by one command.
  for (const int keeper : pids(home, Who::keeper)) kill(keeper, SIGKILL);
  REQUIRE(eventually([&] { return pids(home, Who::keeper).empty(); }));
  CHECK(home.run({"list"}).code == 0);
  CHECK(pids(home, Who::keeper).size() == all.size());

  std::vector<std::string> words{"shutdown", "--timeout", "60s"};
  words.insert(words.end(), all.begin(), all.end());
  const auto stopped = home.run(words);
  CHECK_MESSAGE(stopped.code == 0, stopped.err);
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(20)));
  CHECK(home.runtime_files().empty());
  CHECK(states(json::parse(home.run({"list", "--json"}).out)) == std::set<std::string>{"stopped"});
}

TEST_CASE("VMs that are frozen hold up neither `list` nor each other") {
  Home home;
  const auto all = names(8);
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml", "--name", "vm0", "--no-wait"}).code == 0);
  start_all(home, {all.begin() + 1, all.end()});
  const auto machines = pids(home, Who::qemu);
  REQUIRE(machines.size() == all.size());
  for (std::size_t index = 0; index < 5; ++index) kill(machines[index], SIGSTOP);
  const auto begin = Clock::now();
  const auto listed = json::parse(home.run({"list", "--json"}).out);
  // Asked one after the other, five that do not answer would take five times the patience of two
  // seconds that each is given.
  CHECK(seconds_since(begin) < 4.0);
  std::size_t silent = 0, running = 0;
  for (const auto& each : listed) {
    if (each["state"] == "unresponsive") ++silent;
    if (each["state"] == "running") ++running;
  }
  for (const int machine : machines) kill(machine, SIGCONT);
  CHECK(silent == 5);
  CHECK(running == 3);
}
