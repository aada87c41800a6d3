// SPDX-License-Identifier: MIT
// A command in a real Linux of which nothing is left, by the guest agent and over the serial port.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <sys/wait.h>

using test::contains;
using test::Home;
namespace fs = std::filesystem;

namespace {

/// A profile of the micro guest in this home.
void write_profile(const Home& home, const std::string& body = {}) {
  home.write("linux.toml", "machine.memory = \"384 MiB\"\nkernel.image = \"" + micro::folder() +
                               "/vmlinux\"\nkernel.initrd = \"" + micro::folder() +
                               "/initrd\"\nkernel.cmdline = \"console=ttyS0 cryptomgr.notests "
                               "quiet panic=-1\"\nready.timeout = \"100s\"\n" +
                               body);
}

bool nothing_left(const Home& home) {
  for (const auto* folder : {"data", "state", "run"}) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(home.path() + '/' + folder, ignored)) {
      MESSAGE("left: " << entry.path().string());
      return false;
    }
  }
  return home.processes().empty();
}

}  // namespace

TEST_CASE("a command's output, error and exit code come out of an ephemeral VM by its agent") {
  if (micro::skipped()) return;
  Home home;
  write_profile(home);
  const auto ran = home.run({"run", "linux.toml", "--", "sh", "-c",
                             "echo to-out; echo to-err >&2; printf '%s|' \"$@\"; exit 7", "sh",
                             "a b", "--x=", "$HOME", "-q"});
  CHECK_MESSAGE(ran.code == 7, ran.err);
  CHECK(ran.out == "to-out\na b|--x=|$HOME|-q|");
  CHECK(contains(ran.err, "to-err\n"));
  CHECK_FALSE(contains(ran.out, "to-err"));
  CHECK(nothing_left(home));

  const auto fed = home.run_with_input({"run", "linux.toml", "--", "cat"}, "its input");
  CHECK(fed.out == "its input");

  // Bytes are bytes, and more than one message's worth.
  const auto zeros = home.run({"run", "linux.toml", "--", "head", "-c", "3000000", "/dev/zero"});
  CHECK(zeros.code == 0);
  CHECK(zeros.out == std::string(3000000, '\0'));

  const auto killed = home.run({"run", "linux.toml", "--", "sh", "-c", "kill -9 $$"});
  CHECK(killed.code == 128 + SIGKILL);
  const auto unknown = home.run({"run", "linux.toml", "--", "no-such-command"});
  CHECK(unknown.code == 127);
  CHECK(contains(unknown.err, "no-such-command"));
  CHECK(nothing_left(home));
}

TEST_CASE("a run that takes too long, is interrupted or loses its VM ends with all of it") {
  if (micro::skipped()) return;
  Home home;
  write_profile(home);
  SUBCASE("too long") {
    const auto late = home.run({"run", "linux.toml", "--timeout", "8s", "--", "sleep", "1000"});
    CHECK(late.code == 125);
    // On a slow machine its guest is not even up by then.
    const bool told = contains(late.err, "in time") || contains(late.err, "no guest agent answers");
    CHECK_MESSAGE(told, late.err);
  }
  SUBCASE("interrupted") {
    const auto running = home.start(
        {"run", "linux.toml", "--", "sh", "-c", "echo 'the run is on' >/dev/ttyS0; sleep 1000"});
    REQUIRE(test::eventually([&] {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(home.path() + "/state", ignored))
        if (contains(qlaunch::try_read_file(entry.path().string() + "/serial.log").value_or(""),
                     "the run is on"))
          return true;
      return false;
    }));
    kill(running.id.pid, SIGINT);
    const auto status =
        qlaunch::reap(running, std::chrono::steady_clock::now() + std::chrono::minutes(1));
    REQUIRE(status);
    CHECK(WEXITSTATUS(*status) == 130);
  }
  SUBCASE("its guest powers off") {
    const auto gone = home.run({"run", "linux.toml", "--", "poweroff", "-f"});
    CHECK(gone.code == 125);
  }
  SUBCASE("its profile is wrong, or there is none") {
    write_profile(home, "cpu.count = \"many\"\n");
    const auto wrong = home.run({"run", "linux.toml", "--", "true"});
    CHECK(wrong.code == 125);
    CHECK(contains(wrong.err, "an integer"));
    CHECK(home.run({"run", "nothing.toml", "--", "true"}).code == 125);
    CHECK(home.run({"run", "linux.toml"}).code == 2);
  }
  CHECK(nothing_left(home));
}

TEST_CASE("a guest without an agent is asked over a shell on its serial port") {
  if (micro::skipped()) return;
  Home home;
  write_profile(home, "machine.guest_agent = false\n");
  const auto ran = home.run({"run", "linux.toml", "--", "sh", "-c",
                             "echo \"it's $1\"; echo two >&2; exit 9", "sh", "a b"});
  CHECK_MESSAGE(ran.code == 9, ran.err);
  CHECK(contains(ran.out, "it's a b\ntwo\n"));
  CHECK_FALSE(contains(ran.out, "qlaunch-"));
  CHECK(nothing_left(home));

  write_profile(home);
  const auto asked = home.run({"run", "--serial", "linux.toml", "--", "cat"});
  CHECK(asked.code == 0);
  CHECK(asked.out.empty());
  // A guest that only echoes has no shell.
  const auto silent = home.run({"run", "hello", "--serial", "--timeout", "4s", "--", "true"});
  CHECK(silent.code == 125);
  CHECK(contains(silent.err, "shell on its serial port"));
  CHECK(nothing_left(home));
}

TEST_CASE("what a run writes to its disk is gone with it") {
  if (micro::skipped()) return;
  Home home;
  qlaunch::run_and_capture(
      home.program({"qemu-img", "create", "-q", "-f", "raw", home.file("data.raw"), "1M"}),
      std::chrono::minutes(1), 1 << 20);
  write_profile(home, "[[disk]]\nfile = \"data.raw\"\nformat = \"raw\"\n");
  const auto before = qlaunch::read_file(home.file("data.raw"));
  const auto ran = home.run({"run", "linux.toml", "--", "sh", "-c",
                             "while [ ! -e /dev/vda ]; do usleep 10000; done; "
                             "echo written >/dev/vda && sync && head -c 7 /dev/vda"});
  CHECK_MESSAGE(ran.code == 0, ran.err);
  CHECK(ran.out == "written");
  CHECK(qlaunch::read_file(home.file("data.raw")) == before);
  CHECK(nothing_left(home));
}
