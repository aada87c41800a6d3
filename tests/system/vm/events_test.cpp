// SPDX-License-Identifier: MIT
#include "core/text.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

std::string out_of(const Home& home) {
  return qlaunch::try_read_file(home.path() + "/out").value_or("");
}

std::optional<int> end_of(const qlaunch::Child& child) {
  return qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
}

std::vector<std::string> names(const std::string& lines) {
  std::vector<std::string> all;
  for (const auto& line : qlaunch::split(lines, '\n')) {
    if (!line.empty()) all.push_back(json::parse(line).at("event"));
  }
  return all;
}

}  // namespace

TEST_CASE("events are told with their reasons, also after the end") {
  Home home;
  CHECK(home.run({"events", "hello"}).code == 3);
  REQUIRE(home.run({"hello"}).code == 0);
  REQUIRE(home.run({"pause", "hello"}).code == 0);
  REQUIRE(home.run({"resume", "hello"}).code == 0);
  REQUIRE(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
  const auto told = home.run({"events", "hello"});
  CHECK(told.code == 0);
  CHECK(contains(told.out, "the guest stands still (STOP)"));
  CHECK(contains(told.out, "ended: the guest powered off (ENDED)"));

  const auto all = names(home.run({"events", "hello", "--json"}).out);
  CHECK(all.front() == "STARTED");
  CHECK(all.back() == "ENDED");
}

TEST_CASE("following events ends with the VM, after its last word") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto following = home.start({"events", "hello", "--follow", "--json"});
  REQUIRE(eventually([&] { return contains(out_of(home), "STARTED"); }));
  REQUIRE(home.run({"pause", "hello"}).code == 0);
  CHECK(eventually([&] { return contains(out_of(home), "STOP"); }));
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  CHECK(end_of(following) == 0);
  CHECK(names(out_of(home)).back() == "ENDED");
  // Of a VM that does not run, there is nothing to wait for.
  CHECK(home.run({"events", "hello", "--follow"}).code == 0);
}

TEST_CASE("Ctrl-C ends following, and the VM goes on") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto following = home.start({"events", "hello", "-f"});
  REQUIRE(eventually([&] { return contains(out_of(home), "STARTED"); }));
  kill(following.id.pid, SIGINT);
  const auto status = end_of(following);
  REQUIRE(status.has_value());
  CHECK((WIFSIGNALED(*status) ? 128 + WTERMSIG(*status) : WEXITSTATUS(*status)) == 130);
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "running\n");
}

TEST_CASE("a log is followed from its beginning to the end of the VM") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto following = home.start({"log", "hello", "--follow"});
  REQUIRE(eventually([&] { return contains(out_of(home), "hello from qlaunch"); }));
  home.run_with_input({"console", "hello"}, "typed later\r");
  CHECK(eventually([&] { return contains(out_of(home), "typed later"); }));
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  CHECK(end_of(following) == 0);
}

TEST_CASE("a journal that gives way to a new one is followed into it") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto following = home.start({"events", "hello", "--follow", "--json"});
  REQUIRE(eventually([&] { return contains(out_of(home), "STARTED"); }));
  const auto journal = home.path() + "/state/hello/events.jsonl";
  REQUIRE(rename(journal.c_str(), (journal + ".1").c_str()) == 0);
  // The keeper opens it for each event.
  REQUIRE(home.run({"pause", "hello"}).code == 0);
  CHECK(eventually([&] { return contains(out_of(home), "STOP"); }));
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  CHECK(end_of(following) == 0);
  CHECK(names(out_of(home)).back() == "ENDED");
}
