// SPDX-License-Identifier: MIT
// The program around a command does with this host's shell and tools (GNU's, most often) what the
// other tests show of busybox.
#include "guest/exec_script.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"
#include "support/run.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

using namespace qlaunch;
using namespace qlaunch::guest_exec;

namespace {

/// A folder for the files, gone at the end.
class Scratch {
 public:
  Scratch() {
    std::string path = "/tmp/qlaunch-script.XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string base() const { return path_ + "/b"; }
  std::string file(const std::string& end) const {
    return try_read_file(base() + end, std::size_t{64} << 20).value_or("none");
  }
  bool has(const std::string& end) const { return std::filesystem::exists(base() + end); }
  void say(const std::string& end, const std::string& text) const {
    SpawnOptions options;
    options.argv = {"/bin/sh", "-c", "printf '%s\\n' \"$1\" 1<>\"$2\"", "sh", text, base() + end};
    CHECK(run_and_capture(options, std::chrono::seconds(30), 100).ok());
  }

 private:
  std::string path_;
};

Child begin(const Scratch& scratch, Input input, const Words& words) {
  SpawnOptions options;
  options.argv = program(scratch.base(), input, words);
  options.argv.insert(options.argv.begin(), "setsid");
  options.stderr_path = scratch.base() + ".words";
  return spawn(options);
}

int end_of(const Child& child) {
  const auto status = reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status);
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 1000;
}

}  // namespace

TEST_CASE("the program around a command: streams, code, folder and environment") {
  const Scratch scratch;
  const auto done =
      begin(scratch, Input::none,
            {{"sh", "-c", "echo $A; pwd; echo two >&2; cat; exit 9"}, {"A=b c"}, "/usr", ""});
  CHECK(end_of(done) == 9);
  CHECK(scratch.file(".o0") == "b c\n/usr\n");
  CHECK(scratch.file(".e0") == "two\n");
  CHECK_FALSE(scratch.has(".o1"));
  CHECK(scratch.file(".words").empty());

  const Scratch other;
  CHECK(end_of(begin(other, Input::none, {{"true"}, {}, "/no/such", ""})) == 125);
  CHECK(other.file(".words") == "qlaunch: cd\n");
}

TEST_CASE("the program around a command: three segments wait, the fourth when one was read") {
  const Scratch scratch;
  const auto running =
      begin(scratch, Input::none, {{"head", "-c", "9000000", "/dev/zero"}, {}, "", ""});
  REQUIRE(test::eventually([&] { return scratch.has(".o2"); }));
  // It waits: reads of a pipe make 64 KiB each at most.
  CHECK_FALSE(reap(running, std::chrono::steady_clock::now() + std::chrono::milliseconds(300)));
  CHECK_FALSE(scratch.has(".o3"));
  std::size_t total = 0;
  int segment = 0;
  while (true) {
    REQUIRE(test::eventually([&] {
      return scratch.has(".o" + std::to_string(segment + 1)) ||
             reap(running, std::chrono::steady_clock::now()).has_value();
    }));
    total += scratch.file(".o" + std::to_string(segment)).size();
    if (!scratch.has(".o" + std::to_string(segment + 1))) break;
    scratch.say(".oc", "");
    ++segment;
  }
  CHECK(total == 9000000);
  CHECK(segment >= 4);
  // What was read is gone.
  CHECK_FALSE(scratch.has(".o0"));
}

TEST_CASE("the program around a command: input in pieces, and a command that wants no more") {
  const Scratch scratch;
  const auto running = begin(scratch, Input::fed, {{"head", "-n", "2"}, {}, "", ""});
  REQUIRE(test::eventually([&] { return scratch.has(".i"); }));
  scratch.say(".i0", "one");
  scratch.say(".i", "0");
  REQUIRE(test::eventually([&] { return scratch.file(".a") == "\n"; }));
  scratch.say(".i1", "two");
  scratch.say(".i", "1");
  CHECK(end_of(running) == 0);
  CHECK(scratch.file(".o0") == "one\ntwo\n");
}

TEST_CASE("the program around a command: another user's hears a signal, too") {
  if (geteuid() != 0) {
    std::puts("[skip] exec as another user: not root");
    return;
  }
  const Scratch scratch;
  const auto running = begin(scratch, Input::none,
                             {{"sh", "-c",
                               "trap 'echo caught; exit 5' INT; id -un; while :; do "
                               "sleep 0.1; done"},
                              {},
                              "/",
                              "nobody"});
  REQUIRE(test::eventually([&] { return scratch.file(".o0") == "nobody\n"; }));
  SpawnOptions line;
  line.argv = {"/bin/sh", "-c", kill_line(scratch.base(), running.id.pid, "INT")};
  CHECK(run_and_capture(line, std::chrono::seconds(30), 1000).ok());
  CHECK(end_of(running) == 5);
  CHECK(scratch.file(".o0") == "nobody\ncaught\n");
}

TEST_CASE("the program around a command: what it leaves running is let go of, or ended with it") {
  const Scratch scratch;
  const auto running =
      begin(scratch, Input::none, {{"sh", "-c", "sleep 1000 & echo $!"}, {}, "", ""});
  REQUIRE(test::eventually([&] { return scratch.file(".x") == "0\n"; }));
  SpawnOptions line;
  line.argv = {"/bin/sh", "-c", let_go_line(scratch.base())};
  REQUIRE(test::eventually([&] {
    return run_and_capture(line, std::chrono::seconds(30), 1000).ok() && !identify(running.id.pid);
  }));
  CHECK(end_of(running) == 0);
  const auto pid = static_cast<pid_t>(std::stol(scratch.file(".o0")));
  CHECK(identify(pid));
  // The number alone does not do, nor the files of another boot.
  line.argv = {"/bin/sh", "-c", kill_all_line(scratch.base() + "x", running.id.pid)};
  CHECK(run_and_capture(line, std::chrono::seconds(30), 1000).status == other_run << 8);
  line.argv.back() = kill_all_line(scratch.base(), running.id.pid);
  const auto files = scratch.file(".p");
  write_file_atomic(scratch.base() + ".p", "another boot\n");
  CHECK(run_and_capture(line, std::chrono::seconds(30), 1000).status == other_run << 8);
  CHECK(identify(pid));
  write_file_atomic(scratch.base() + ".p", files);
  CHECK(run_and_capture(line, std::chrono::seconds(30), 1000).ok());
  CHECK(test::eventually([&] { return !identify(pid); }));
}
