// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

qlaunch::SpawnOptions shell(const Home& home, const std::string& script) {
  auto options = home.program({"/bin/sh", script});
  options.stdout_path = home.path() + "/script-out";
  options.stderr_path = home.path() + "/script-out";
  options.new_session = true;
  return options;
}

std::vector<std::string> scratch_folders() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
    if (contains(entry.path().filename().string(), "qlaunch-args."))
      found.push_back(entry.path().string());
  }
  return found;
}

}  // namespace

TEST_CASE("the script of `args` runs by itself, beside a running VM, and cleans up") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto before = scratch_folders();
  const auto args = home.run({"args", "hello", "--name", "other"});
  REQUIRE_MESSAGE(args.code == 0, args.err);
  const auto script = home.write("run.sh", args.out);
  const auto child = qlaunch::spawn(shell(home, script));
  // It greets on the serial port, whose log is in the script's own folder.
  const auto greets = [&] {
    for (const auto& folder : scratch_folders()) {
      if (contains(qlaunch::try_read_file(folder + "/serial.log").value_or(""),
                   "hello from qlaunch"))
        return true;
    }
    return false;
  };
  CHECK_MESSAGE(eventually(greets),
                qlaunch::try_read_file(home.path() + "/script-out").value_or(""));
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "running\n");
  // As a person would end it: Ctrl-C to the whole session's foreground.
  kill(-child.id.pid, SIGINT);
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  CHECK(status.has_value());
  CHECK(eventually([&] { return scratch_folders() == before; }));
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "running\n");
}

TEST_CASE("`args` prints the very words that `up` runs") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto args = json::parse(home.run({"args", "hello", "--json"}).out);
  const auto pid = json::parse(home.run({"status", "hello", "--json"}).out)["pid"].get<int>();
  const auto command = qlaunch::read_file("/proc/" + std::to_string(pid) + "/cmdline");
  std::string expected;
  for (const auto& word : args["qemu"]["argv"]) expected += word.get<std::string>() + '\0';
  CHECK(command == expected);
  CHECK(home.run({"args", "hello", "--json"}).out == home.run({"args", "hello", "--json"}).out);
}
