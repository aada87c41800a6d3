// SPDX-License-Identifier: MIT
// What happens when commands race, are cut off, or are called from odd places.
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace fs = std::filesystem;

namespace {

constexpr auto tiny_tcg =
    "name = \"tiny\"\n[machine]\nmemory = \"64 MiB\"\naccel = \"tcg\"\n[[disk]]\n"
    "image = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n";

/// Pids of this home's QEMUs.
std::vector<int> machines(const Home& home) {
  std::vector<int> pids;
  for (const auto& process : home.processes()) {
    if (contains(process, " -machine ")) pids.push_back(std::atoi(process.c_str()));
  }
  return pids;
}

int keeper_of(const Home& home) {
  for (const auto& process : home.processes()) {
    if (contains(process, " keeper ")) return std::atoi(process.c_str());
  }
  return 0;
}

int code_of(const qlaunch::Child& child) {
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status.has_value());
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
}

std::string state_of(const Home& home, const std::string& vm) {
  return home.run({"status", vm, "--get", "state"}).out;
}

std::set<std::string> all_below(const std::string& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) found.insert(entry.path());
  return found;
}

/// list, status and kill say the same of a VM as its processes do, and kill leaves nothing.
void expect_agreement(const Home& home, const std::string& vm) {
  const auto running = machines(home);
  REQUIRE(running.size() <= 1);
  const auto listed = json::parse(home.run({"list", "--json"}).out);
  const std::string state = running.empty() ? "stopped" : "running";
  for (const auto& each : listed) CHECK(each["state"] == state);
  CHECK(listed.size() <= 1);
  if (!listed.empty()) CHECK(state_of(home, vm) == state + '\n');
  REQUIRE(home.run({"kill", vm}).code == (running.empty() ? 3 : 0));
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  CHECK(home.runtime_files().empty());
}

/// The folders of a user's session, with QLAUNCH_HOME unset.
void use_xdg(Home& home, const std::string& runtime) {
  home.environment = {"QLAUNCH_HOME"};
  for (const auto& [variable, folder] :
       {std::pair{"XDG_RUNTIME_DIR", runtime}, std::pair{"XDG_DATA_HOME", std::string("share")},
        std::pair{"XDG_STATE_HOME", std::string("log")},
        std::pair{"XDG_CACHE_HOME", std::string("cached")}}) {
    const auto path = home.file(folder);
    fs::create_directories(path);
    REQUIRE(chown(path.c_str(), test::user(), test::user()) == 0);
    home.environment.push_back(std::string(variable) + '=' + path);
  }
}

}  // namespace

TEST_CASE("a name that would lead out of the VM's folders is refused, and touches nothing") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  // The keeper's first word: from then on no file is added.
  REQUIRE(eventually([&] { return fs::exists(home.path() + "/state/tiny/events.jsonl"); }));
  const auto qemu = machines(home);
  const auto runtime = home.runtime_files();
  const auto before = all_below(home.path());
  const auto beside = fs::path(home.path()).parent_path() / "evil";
  REQUIRE_FALSE(fs::exists(beside));
  for (const std::string name : {".", "..", "../../evil", "", "a/b", "-x"}) {
    CAPTURE(name);
    for (const std::string command : {"up", "args"})
      CHECK(home.run({command, "tiny.toml", "--name", name}).code == 2);
  }
  CHECK_FALSE(fs::exists(beside));
  CHECK(machines(home) == qemu);
  CHECK(home.runtime_files() == runtime);
  CHECK(all_below(home.path()) == before);
  CHECK(state_of(home, "tiny") == "running\n");
}

TEST_CASE("two commands that start a new VM at once both succeed, and start it once") {
  for (int round = 0; round < 15; ++round) {
    CAPTURE(round);
    Home home;
    const auto first = home.start({"up", "hello"});
    const auto second = home.start({"up", "hello"});
    CHECK(code_of(first) == 0);
    CHECK(code_of(second) == 0);
    CHECK(machines(home).size() == 1);
    CHECK(fs::exists(home.path() + "/data/hello/vm.json"));
    CHECK(fs::exists(home.path() + "/data/hello/root.qcow2"));
  }
}

TEST_CASE("a kill that races with a start leaves one story") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  REQUIRE(home.run({"up", "tiny.toml", "--no-wait"}).code == 0);
  for (int round = 0; round < 15; ++round) {
    CAPTURE(round);
    // Runs as the round begins: the kill may come before, amid or after the start.
    const auto kill = home.start({"kill", "tiny"});
    poll(nullptr, 0, round * 2);
    const auto up = home.start({"up", "tiny.toml", "--no-wait"});
    const auto again = home.start({"kill", "tiny"});
    // Either kill may come too late for this run.
    const int first = code_of(kill);
    const int started = code_of(up);
    const int killed = code_of(again);
    CHECK((first == 0 || first == 3));
    CHECK((started == 0 || started == 1));
    CHECK((killed == 0 || killed == 3));
    if (round + 1 < 15) {
      // What is there now is the same for everyone, and can be started from.
      const auto running = machines(home);
      CHECK(running.size() <= 1);
      CHECK(home.run({"up", "tiny.toml", "--no-wait"}).code == 0);
      CHECK(machines(home).size() == 1);
      CHECK(state_of(home, "tiny") == "running\n");
    }
  }
  expect_agreement(home, "tiny");
}

TEST_CASE("a start waits for the keeper of the last run, which still tidies up") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  REQUIRE(home.run({"up", "tiny.toml", "--no-wait"}).code == 0);
  // Slowed down, so that the new start meets it for sure.
  const int keeper = keeper_of(home);
  REQUIRE(keeper > 1);
  kill(keeper, SIGSTOP);
  kill(machines(home).at(0), SIGKILL);
  REQUIRE(eventually([&] { return machines(home).empty(); }));
  const auto up = home.start({"up", "tiny.toml", "--no-wait"});
  CHECK_FALSE(eventually([&] { return !machines(home).empty(); }, std::chrono::milliseconds(400)));
  kill(keeper, SIGCONT);
  CHECK(code_of(up) == 0);
  CHECK(home.run({"status", "tiny", "--get", "qemu_state"}).out == "running\n");
  CHECK(fs::exists(home.path() + "/data/tiny/run.json"));
  expect_agreement(home, "tiny");
}

TEST_CASE("a start that is killed at any moment is not in the way of the next") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  // So that the delays meet the start itself, not the probing of this host.
  REQUIRE(home.run({"up", "tiny.toml", "--no-wait"}).code == 0);
  REQUIRE(home.run({"kill", "tiny"}).code == 0);
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    // Anew each time: the making of the disk is to be cut off, too.
    fs::remove_all(home.path() + "/data/tiny");
    const auto up = home.start({"up", "tiny.toml", "--no-wait"});
    poll(nullptr, 0, round * 60 / 11);
    kill(up.id.pid, SIGKILL);
    code_of(up);
    CHECK(home.run({"list"}).code == 0);
    const auto again = home.run({"up", "tiny.toml", "--no-wait"});
    REQUIRE_MESSAGE(again.code == 0, again.err);
    // Whoever was started by the first one is the one that is meant now.
    CHECK(machines(home).size() == 1);
    expect_agreement(home, "tiny");
  }
}

TEST_CASE("a relative QLAUNCH_HOME means the same to every process") {
  Home home;
  home.environment = {"QLAUNCH_HOME=../home here"};
  const std::string path = home.path() + "/home here";
  REQUIRE(mkdir(path.c_str(), 0700) == 0);
  REQUIRE(chown(path.c_str(), test::user(), test::user()) == 0);
  const auto up = home.run({"up", "hello"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  CHECK(fs::exists(path + "/run/hello/live.json"));
  CHECK(state_of(home, "hello") == "running\n");
  // The keeper works elsewhere, and has to find its VM and to tidy up all the same.
  CHECK(eventually(
      [&] {
        return contains(home.run({"log", "hello", "events"}).out, "STARTED");
      },
      std::chrono::seconds(10)));
  CHECK(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
  CHECK(eventually([&] { return home.processes().empty(); }));
  CHECK(fs::is_empty(path + "/run"));
  CHECK(contains(home.run({"log", "hello", "events"}).out, "ENDED"));
}

TEST_CASE("a start that asks a running VM for something else is refused") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  home.write("other.toml", tiny_tcg);
  REQUIRE(home.run({"up", "tiny.toml", "--set", "cpu.count=1"}).code == 0);
  const auto running = machines(home);
  CHECK(home.run({"up", "tiny.toml"}).code == 0);
  CHECK(home.run({"up", "tiny.toml", "--set", "cpu.count=1"}).code == 0);
  const auto differs = home.run({"up", "tiny.toml", "--set", "cpu.count=2"});
  CHECK(differs.code == 3);
  CHECK(contains(differs.err, "other settings"));
  const auto adopted = home.run({"up", "other.toml", "--adopt"});
  CHECK(adopted.code == 3);
  CHECK(contains(adopted.err, "old profile"));
  CHECK(contains(home.run({"status", "tiny", "--get", "profile"}).out, "tiny.toml"));
  CHECK(machines(home) == running);
}

TEST_CASE("a VM made by --name is found by that name") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  REQUIRE(home.run({"up", "tiny.toml", "--name", "mine"}).code == 0);
  const auto running = machines(home);
  const auto again = home.run({"up", "mine"});
  CHECK(again.code == 0);
  CHECK(contains(again.out + again.err, "mine already runs"));
  REQUIRE(home.run({"kill", "mine"}).code == 0);
  CHECK(home.run({"up", "mine"}).code == 0);
  CHECK(home.run({"list", "-q"}).out == "mine\n");
}

TEST_CASE("what the caller has open does not stay open with the VM") {
  Home home;
  home.write("tiny.toml", tiny_tcg);
  const auto lock = home.write("lock", "");
  const auto shell = qlaunch::run_and_capture(
      home.program({"/bin/sh", "-c",
                    "exec 9>lock && flock -n 9 && exec 8>&9 && \"$0\" up tiny.toml",
                    test::binary()}),
      std::chrono::minutes(1), 1 << 20);
  REQUIRE_MESSAGE(shell.ok(), shell.err);
  REQUIRE(machines(home).size() == 1);
  REQUIRE(keeper_of(home) > 1);
  const qlaunch::UniqueFd file(open(lock.c_str(), O_RDWR | O_CLOEXEC));
  CHECK(flock(file.get(), LOCK_EX | LOCK_NB) == 0);
}

TEST_CASE("a keeper does not wait for ever for a QEMU that does not answer") {
  Home home;
  home.write("tiny.toml", std::string(tiny_tcg) + "[shutdown]\ntimeout = \"1s\"\n");
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto running = machines(home);
  REQUIRE(running.size() == 1);
  kill(running.front(), SIGSTOP);
  const auto asked = std::chrono::steady_clock::now();
  kill(keeper_of(home), SIGTERM);
  // A second for the guest, five for QEMU to take `quit`; the rest is this machine's.
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(20)));
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(12));
  CHECK(contains(home.run({"status", "tiny"}).out, "killed after SIGTERM"));
  CHECK(home.runtime_files().empty());
}

TEST_CASE("a VM whose runtime folder is gone is still known, and can be ended") {
  Home home;
  REQUIRE(home.run({"up", "hello"}).code == 0);
  const auto running = machines(home);
  REQUIRE(running.size() == 1);
  const auto runtime = home.path() + "/run/hello";
  const auto away = home.path() + "/moved";
  fs::rename(runtime, away);

  const auto listed = json::parse(home.run({"list", "--json"}).out);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["state"] == "running");
  CHECK(listed[0]["pid"] == running.front());
  const auto status = home.run({"status", "hello", "--json"});
  CHECK(status.code == 0);
  CHECK(contains(status.out, "its runtime folder `" + runtime + "` is gone"));
  const auto again = home.run({"up", "hello"});
  CHECK(again.code == 0);
  CHECK(contains(again.out + again.err, "already runs"));
  CHECK(machines(home) == running);

  std::string end;
  SUBCASE("kill") {
    CHECK(home.run({"kill", "hello"}).code == 0);
    end = "SIGKILL";
  }
  SUBCASE("shutdown, which the keeper passes on") {
    CHECK(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
    end = "the guest powered off";
  }
  SUBCASE("kill without a keeper") {
    kill(keeper_of(home), SIGKILL);
    REQUIRE(eventually([&] { return keeper_of(home) == 0; }));
    const auto shutdown = home.run({"shutdown", "hello"});
    CHECK(shutdown.code == 3);
    CHECK(contains(shutdown.err, "is gone"));
    CHECK(contains(shutdown.err, "qlaunch kill hello"));
    CHECK(home.run({"kill", "hello"}).code == 0);
    end = "ended by force";
  }
  CHECK(home.processes().empty());
  CHECK(state_of(home, "hello") == "stopped\n");
  CHECK(contains(home.run({"status", "hello"}).out, end));
  CHECK_FALSE(fs::exists(home.path() + "/data/hello/run.json"));
  fs::remove_all(away);
  CHECK(home.run({"up", "hello"}).code == 0);
}

TEST_CASE("a VM is the same one under another XDG_RUNTIME_DIR, as in cron or behind su") {
  Home home;
  use_xdg(home, "session");
  const auto up = home.run({"up", "hello"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  const auto running = machines(home);
  REQUIRE(running.size() == 1);

  use_xdg(home, "elsewhere");
  CHECK(state_of(home, "hello") == "running\n");
  CHECK(home.run({"status", "hello", "--get", "qemu_state"}).out == "running\n");
  CHECK(home.run({"status", "hello", "--get", "problems"}).out == "[]\n");
  CHECK(contains(home.run({"list"}).out, "running"));
  CHECK(contains(home.run({"up", "hello"}).out, "already runs"));
  CHECK(machines(home) == running);
  CHECK(home.run({"shutdown", "hello", "--timeout", "60s"}).code == 0);
  CHECK(home.processes().empty());
  CHECK_FALSE(fs::exists(home.file("session/qlaunch/hello")));
}

TEST_CASE("a dead run's record in one place does not hide the live one in another") {
  Home home;
  use_xdg(home, "session");
  REQUIRE(home.run({"up", "hello"}).code == 0);
  kill(keeper_of(home), SIGKILL);
  kill(machines(home).at(0), SIGKILL);
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  REQUIRE(fs::exists(home.file("session/qlaunch/hello/live.json")));

  use_xdg(home, "elsewhere");
  CHECK(state_of(home, "hello") == "stopped\n");
  REQUIRE(home.run({"up", "hello"}).code == 0);
  use_xdg(home, "session");
  CHECK(state_of(home, "hello") == "running\n");
  CHECK(home.run({"kill", "hello"}).code == 0);
}
