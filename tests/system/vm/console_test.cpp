// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "support/run.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

using test::contains;
using test::eventually;
using test::Home;

TEST_CASE("what is typed on the console comes back from the guest") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto typed = home.run_with_input({"console", "hello"}, "anybody there\r");
  CHECK(typed.code == 0);
  CHECK(contains(typed.out, "anybody there"));
}

TEST_CASE("a second console is told, not left waiting") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  // Reads from a pipe that stays open, as a terminal would.
  const auto fifo = home.file("keys");
  REQUIRE(qlaunch::run_and_capture({"mkfifo", fifo}).ok());
  REQUIRE(chmod(fifo.c_str(), 0666) == 0);
  auto options =
      home.program({"/bin/sh", "-c", "exec \"$0\" console hello < \"$1\"", test::binary(), fifo});
  options.stdout_path = home.path() + "/first";
  options.stderr_path = home.path() + "/first";
  const auto first = qlaunch::spawn(options);
  const auto lock = home.path() + "/run/hello/console.lock";
  // Opening it for writing lets the reader start.
  qlaunch::SpawnOptions writer;
  writer.argv = {"/bin/sh", "-c", "exec sleep 600 > \"$0\"", fifo};
  const auto holder = qlaunch::spawn(writer);
  REQUIRE(eventually([&] { return qlaunch::try_read_file(lock).value_or("") != ""; }));
  const auto second = home.run({"console", "hello"});
  CHECK(second.code == 3);
  CHECK(contains(second.err, "another console is open"));
  qlaunch::kill_and_reap(holder);
  CHECK(qlaunch::reap(first, std::chrono::steady_clock::now() + std::chrono::minutes(1)) == 0);
}

TEST_CASE("the console ends with its VM") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto stopped = home.run({"kill", "hello"});
  CHECK(stopped.code == 0);
  const auto console = home.run({"console", "hello"});
  CHECK(console.code == 3);
  CHECK(contains(console.err, "does not run"));
}
