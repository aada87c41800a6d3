// SPDX-License-Identifier: MIT
#include "host/process.hpp"

#include "host/spawn.hpp"
#include "scratch.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

using namespace qlaunch;
using namespace std::chrono_literals;
using test::in;

namespace {

Child sleeper() {
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  return spawn(options);
}

}  // namespace

TEST_CASE("this process is alive, and knows its name and what it uses") {
  const auto self = identify(::getpid());
  REQUIRE(self);
  CHECK(self->pid == ::getpid());
  CHECK(self->start_time > 0);
  CHECK(self->boot_id.size() == 36);
  CHECK(alive(*self));
  CHECK(process_name(::getpid()) == "unit_host");
  const auto usage = process_usage(*self);
  REQUIRE(usage);
  CHECK(usage->resident > 500'000);
  CHECK(usage->resident < 2'000'000'000);
  CHECK(usage->uptime < 1h);
  // All threads together: at most the time since the start on every processor.
  CHECK(usage->cpu <= usage->uptime * ::sysconf(_SC_NPROCESSORS_ONLN) + 100ms);
}

TEST_CASE("a name with spaces and parentheses does not confuse") {
  char before[16] = {};
  ::prctl(PR_GET_NAME, before);
  ::prctl(PR_SET_NAME, "a) S 1 (b");
  const auto self = identify(::getpid());
  CHECK(process_name(::getpid()) == "a) S 1 (b");
  ::prctl(PR_SET_NAME, before);
  REQUIRE(self);
  CHECK(self == identify(::getpid()));
}

TEST_CASE("the same pid with another start time or of another boot is another process") {
  const auto self = identify(::getpid());
  REQUIRE(self);
  auto older = *self;
  --older.start_time;
  CHECK_FALSE(alive(older));
  CHECK_FALSE(open_pidfd(older));
  CHECK_FALSE(send_signal(older, SIGKILL));
  CHECK_FALSE(process_usage(older));
  auto earlier_boot = *self;
  earlier_boot.boot_id = "00000000-0000-0000-0000-000000000000";
  CHECK_FALSE(alive(earlier_boot));
  auto unknown_boot = *self;
  unknown_boot.boot_id.clear();
  CHECK(alive(unknown_boot));
}

TEST_CASE("there is no process 0, -1 or beyond the largest pid") {
  for (const pid_t pid : {0, -1, 2'000'000'000}) {
    CHECK_FALSE(identify(pid));
    CHECK_FALSE(alive({.pid = pid, .start_time = 0, .boot_id = {}}));
    CHECK_FALSE(open_pidfd({.pid = pid, .start_time = 0, .boot_id = {}}));
    CHECK(process_name(pid).empty());
  }
}

TEST_CASE("a zombie is dead") {
  const Child child = sleeper();
  const UniqueFd pidfd = open_pidfd(child.id);
  REQUIRE(pidfd);
  CHECK(alive(child.id));
  CHECK_FALSE(wait_exit(pidfd.get(), in(10ms)));
  CHECK(send_signal(child.id, SIGKILL));
  CHECK(wait_exit(pidfd.get(), in(10s)));
  // Not reaped: it is still in the table.
  CHECK(::kill(child.id.pid, 0) == 0);
  CHECK_FALSE(alive(child.id));
  CHECK_FALSE(identify(child.id.pid));
  CHECK_FALSE(open_pidfd(child.id));
  CHECK_FALSE(send_signal(child.id, SIGTERM));
  CHECK(identify_child(child.id.pid).start_time == child.id.start_time);
  CHECK(reap(child, in(10s)) == SIGKILL);
}

TEST_CASE("a deadline in the past is a look") {
  const Child child = sleeper();
  CHECK_FALSE(wait_exit(child.pidfd.get(), in(-1h)));
  kill_and_reap(child);
  CHECK(wait_exit(child.pidfd.get(), in(-1h)));
}
