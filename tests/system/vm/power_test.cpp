// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "qmp/message.hpp"
#include "qmp/sync.hpp"
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

std::string get(const Home& home, const std::string& vm, const std::string& key) {
  auto text = home.run({"status", vm, "--get", key}).out;
  if (!text.empty()) text.pop_back();
  return text;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// How often the guest has greeted: once for each time it has booted.
std::size_t boots(const Home& home, const std::string& vm) {
  return count(home.run({"log", vm}).out, "hello from qlaunch");
}

/// A guest that never hears its power button: firmware that finds nothing to boot.
constexpr auto deaf_guest =
    "name = \"deaf\"\n[machine]\nmemory = \"64 MiB\"\n[[disk]]\nsize = \"1 MiB\"\n"
    "[[network]]\nmode = \"none\"\n[shutdown]\ntimeout = \"1s\"\n";

/// Stopped by the host: it answers nothing.
class Frozen {
 public:
  explicit Frozen(int pid) : pid_(pid) { REQUIRE(kill(pid_, SIGSTOP) == 0); }
  ~Frozen() { kill(pid_, SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  int pid_;
};

}  // namespace

TEST_CASE("a paused guest does nothing until it is resumed") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  CHECK(home.run({"pause", "hello"}).out == "hello: paused\n");
  CHECK(get(home, "hello", "state") == "paused");
  const auto again = home.run({"pause", "hello"});
  CHECK(again.code == 0);
  CHECK(again.out == "hello: paused already\n");
  CHECK(home.run_with_input({"console", "hello"}, "anybody there\r").out == "");
  const auto shutdown = home.run({"shutdown", "hello"});
  CHECK(shutdown.code == 3);
  CHECK(contains(shutdown.err, "`qlaunch resume hello`"));

  CHECK(home.run({"unpause", "hello"}).out == "hello: runs again\n");
  CHECK(get(home, "hello", "state") == "running");
  // What was typed meanwhile has waited for it.
  CHECK(contains(home.run_with_input({"console", "hello"}, "yes\r").out, "yes"));
  CHECK(home.run({"resume", "hello"}).out == "hello: runs already\n");
}

TEST_CASE("a reset boots the guest anew in the same QEMU") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto pid = get(home, "hello", "pid");
  CHECK(home.run({"reset", "hello"}).out == "hello: reset\n");
  CHECK(eventually([&] { return boots(home, "hello") == 2; }));
  CHECK(get(home, "hello", "pid") == pid);

  REQUIRE(home.run({"pause", "hello"}).code == 0);
  CHECK(home.run({"reset", "hello"}).out == "hello: reset, and still paused\n");
  CHECK(get(home, "hello", "state") == "paused");
  REQUIRE(home.run({"resume", "hello"}).code == 0);
  CHECK(eventually([&] { return boots(home, "hello") == 3; }));
}

TEST_CASE("a reboot has the guest power off, and QEMU stays") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto pid = get(home, "hello", "pid");
  const auto rebooted = home.run({"reboot", "hello", "--timeout", "60s"});
  CHECK_MESSAGE(rebooted.code == 0, rebooted.err);
  CHECK(contains(rebooted.out, "the guest powered off and boots anew"));
  CHECK(eventually([&] { return boots(home, "hello") == 2; }));
  CHECK(get(home, "hello", "pid") == pid);
  CHECK(get(home, "hello", "state") == "running");
  CHECK(contains(home.run({"log", "hello", "events"}).out, "guest-shutdown"));
  // The next time it powers off it ends again.
  CHECK(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
  CHECK(get(home, "hello", "state") == "stopped");
}

TEST_CASE("a guest that does not obey is not rebooted unless force is asked for") {
  Home home;
  home.write("deaf.toml", deaf_guest);
  REQUIRE(home.run({"up", "deaf.toml"}).code == 0);
  const auto refused = home.run({"reboot", "deaf"});
  CHECK(refused.code == 4);
  CHECK(contains(refused.err, "goes on as before"));
  CHECK(get(home, "deaf", "state") == "running");
  const auto forced = home.run({"reboot", "deaf", "--timeout", "1s", "--force"});
  CHECK(forced.code == 0);
  CHECK(contains(forced.out, "did not power off in time"));
  CHECK(get(home, "deaf", "state") == "running");
}

TEST_CASE("a reboot that is interrupted lets a guest that powers off end its VM") {
  Home home;
  home.write("deaf.toml", deaf_guest);
  REQUIRE(home.run({"up", "deaf.toml"}).code == 0);
  const auto reboot = home.start({"reboot", "deaf", "--timeout", "100s"});
  const auto journal = [&] { return home.run({"log", "deaf", "events"}).out; };
  REQUIRE(eventually([&] { return contains(journal(), "POWERDOWN"); }));
  kill(reboot.id.pid, SIGINT);
  const auto status =
      qlaunch::reap(reboot, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status.has_value());
  CHECK(WEXITSTATUS(*status) == 130);
  CHECK(get(home, "deaf", "state") == "running");
}

TEST_CASE("a guest that is off after a reboot that was killed can be started or ended") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  // What the killed command leaves behind.
  const auto stay = [&] {
    qmp::SyncClient client(home.path() + "/run/hello/qmp.sock");
    client.execute("set-action", json{{"shutdown", "pause"}});
    while (client.execute("query-status").at("status") != "shutdown") {
      client.execute("system_powerdown");
      client.wait_event({"SHUTDOWN"}, std::chrono::seconds(2));
      client.wait_event({"STOP"}, std::chrono::milliseconds(200));
    }
  };
  stay();
  const auto resumed = home.run({"resume", "hello"});
  CHECK(resumed.code == 3);
  CHECK(contains(resumed.err, "`qlaunch reset hello`"));
  CHECK(home.run({"reset", "hello"}).out == "hello: reset, and runs again\n");
  CHECK(eventually([&] { return boots(home, "hello") == 2; }));
  stay();
  CHECK(home.run({"shutdown", "hello"}).code == 0);
  CHECK(get(home, "hello", "state") == "stopped");
}

TEST_CASE("several VMs are paused at once, and one that is unknown fails alone") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  REQUIRE(home.run({"up", "hello", "--name", "second"}).code == 0);
  const auto paused = home.run({"pause", "hello", "nobody", "second"});
  CHECK(paused.code == 3);
  CHECK(contains(paused.out, "hello: paused\n"));
  CHECK(contains(paused.out, "second: paused\n"));
  CHECK(contains(paused.err, "`nobody`"));
}

TEST_CASE("a QEMU that hangs is told, not waited for without end") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const Frozen frozen(json::parse(home.run({"status", "hello", "--json"}).out).at("pid"));
  for (const auto& words : std::vector<std::vector<std::string>>{{"pause"},
                                                                 {"reset"},
                                                                 {"reboot"},
                                                                 {"shutdown"},
                                                                 {"forward", "list"},
                                                                 {"qmp", "query-name"}}) {
    auto all = words;
    all.insert(all.begin() + (words.front() == "forward" ? 2 : 1), "hello");
    const auto result = home.run(all, std::chrono::seconds(30));
    CHECK_MESSAGE(result.code == 4, words.front());
    CHECK_MESSAGE(contains(result.err, "QEMU does not answer: its process"), result.err);
    CHECK_MESSAGE(contains(result.err, "kill -CONT"), result.err);
  }
}

TEST_CASE("a QEMU that ends in the middle of a command is told") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const int pid = json::parse(home.run({"status", "hello", "--json"}).out).at("pid");
  {
    const Frozen frozen(pid);
    const auto waiting = home.start({"qmp", "hello", "query-name"});
    // It holds the lock while it waits for the greeting.
    REQUIRE(eventually([&] {
      const auto lock = qlaunch::try_read_file(home.path() + "/run/hello/qmp.lock").value_or("");
      return contains(lock, std::to_string(waiting.id.pid));
    }));
    kill(pid, SIGKILL);
    const auto status =
        qlaunch::reap(waiting, std::chrono::steady_clock::now() + std::chrono::minutes(1));
    REQUIRE(status.has_value());
    CHECK(WEXITSTATUS(*status) == 3);
  }
  CHECK(contains(qlaunch::try_read_file(home.path() + "/err").value_or(""), "has ended meanwhile"));
}
