// SPDX-License-Identifier: MIT
#include "disk/parts.hpp"

#include "host/files.hpp"
#include "host/process.hpp"

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

namespace parts {

using nlohmann::json;
using test::Home;

namespace {

qlaunch::Captured run(const Home& home, const std::vector<std::string>& words) {
  return qlaunch::run_and_capture(home.program(words), std::chrono::minutes(2), 1 << 20);
}

}  // namespace

std::string profile(const std::string& more) {
  return "[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\n"
         "[[disk]]\nname = \"root\"\nimage = \"builtin:hello\"\n"
         "[[disk]]\nname = \"data\"\nsize = \"8 MiB\"\n"
         "[ready]\nwhen = \"serial:hello from qlaunch\"\n" +
         more;
}

std::string ok(const Home& home, const std::vector<std::string>& words) {
  const auto result = home.run(words);
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return result.out;
}

std::string tool(const Home& home, const std::vector<std::string>& words) {
  const auto result = run(home, words);
  REQUIRE_MESSAGE(result.ok(), (result.out + result.err));
  return result.out;
}

void write(const Home& home, const std::string& path, int byte, int place_kib) {
  tool(home,
       {"qemu-io", "-f", "qcow2", "-c",
        "write -P " + std::to_string(byte) + ' ' + std::to_string(place_kib) + "k 64k", path});
}

bool has(const Home& home, const std::string& path, int byte, int place_kib) {
  const auto out = tool(
      home, {"qemu-io", "-U", "-r", "-f", "qcow2", "-c",
             "read -P " + std::to_string(byte) + ' ' + std::to_string(place_kib) + "k 64k", path});
  return !test::contains(out, "verification failed");
}

namespace {

/// QEMU's own qemu-io; what it prints goes to QEMU's standard output. Returns what was added.
std::string in_qemu(const Home& home, const std::string& vm, const std::string& disk,
                    const std::string& command) {
  const auto log = home.path() + "/state/" + vm + "/qemu.log";
  const auto before = qlaunch::try_read_file(log).value_or("").size();
  const json arguments{{"command-line", "qemu-io -d /machine/peripheral/drive-" + disk +
                                            "/virtio-backend \"" + command + '"'}};
  const auto said = ok(home, {"qmp", vm, "human-monitor-command", arguments.dump()});
  REQUIRE_MESSAGE(!test::contains(said, "rror"), said);
  std::string added;
  REQUIRE(test::eventually([&] {
    added = qlaunch::try_read_file(log).value_or("").substr(before);
    return test::contains(added, "ops/sec");
  }));
  return added;
}

}  // namespace

void write_running(const Home& home, const std::string& vm, const std::string& disk, int byte,
                   int place_kib) {
  const auto said =
      in_qemu(home, vm, disk,
              "write -P " + std::to_string(byte) + ' ' + std::to_string(place_kib) + "k 64k");
  REQUIRE_MESSAGE(test::contains(said, "wrote 65536/65536"), said);
}

bool has_running(const Home& home, const std::string& vm, const std::string& disk, int byte,
                 int place_kib) {
  const auto said =
      in_qemu(home, vm, disk,
              "read -P " + std::to_string(byte) + ' ' + std::to_string(place_kib) + "k 64k");
  REQUIRE_MESSAGE(test::contains(said, "read 65536/65536"), said);
  return !test::contains(said, "verification failed");
}

std::string damage(const Home& home, const std::string& path) {
  const auto check = run(home, {"qemu-img", "check", "-q", path});
  return check.ok() ? "" : check.out + check.err;
}

json info(const Home& home, const std::string& disk) {
  return json::parse(ok(home, {"disk", "info", disk, "--json"})).at(0);
}

namespace {

/// Runs a command until it stands at this step.
qlaunch::Child stand_at(const Home& home, const std::string& step, std::vector<std::string> words) {
  words.insert(words.begin(), test::binary());
  auto options = home.program(words);
  options.environment.push_back("QLAUNCH_TEST_STOP_AT=" + step);
  options.stdout_path = options.stderr_path = home.file("out");
  auto command = qlaunch::spawn(options);
  CHECK_MESSAGE(test::eventually([&] { return qlaunch::stopped(command.id); }), step);
  return command;
}

}  // namespace

void kill_at(const Home& home, const std::string& step, std::vector<std::string> words) {
  qlaunch::kill_and_reap(stand_at(home, step, std::move(words)));
}

int meanwhile_at(const Home& home, const std::string& step, std::vector<std::string> words,
                 const std::function<void()>& work) {
  const auto command = stand_at(home, step, std::move(words));
  work();
  kill(command.id.pid, SIGCONT);
  int status = 0;
  REQUIRE(waitpid(command.id.pid, &status, 0) == command.id.pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::string data(const Home& home, const std::string& vm, const std::string& file) {
  return home.path() + "/data/" + vm + '/' + file;
}

}  // namespace parts
