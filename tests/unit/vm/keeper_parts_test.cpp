// SPDX-License-Identifier: MIT
// What a keeper concludes from what it saw, and the lists and clocks it relies on.
#include "folder.hpp"
#include "host/spawn.hpp"
#include "vm/end.hpp"
#include "vm/foreground.hpp"
#include "vm/sleep_watch.hpp"
#include "vm/start_list.hpp"
#include "vm/steps.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include <signal.h>
#include <stdlib.h>

using namespace qlaunch;
using test::Folder;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int exited(int code) {
  return code << 8;
}
constexpr int killed_by(int signal) {
  return signal;
}

}  // namespace

TEST_CASE("the reason of an end is what was seen, and no more") {
  struct Row {
    const char* what;
    SeenEnd seen;
    const char* reason;
    const char* text;
    int code;  // of a foreground run
  };
  SeenEnd guest{.status = exited(0), .shutdown = "guest-shutdown"};
  SeenEnd asked = guest;
  asked.asked = "SIGTERM";
  SeenEnd heir = guest;
  heir.status.reset();
  heir.taken_over = true;
  SeenEnd unseen;
  unseen.taken_over = true;
  SeenEnd late{.status = exited(0), .shutdown = "host-qmp-quit", .asked = "SIGHUP"};
  SeenEnd quit{.status = exited(0), .shutdown = "host-qmp-quit"};
  SeenEnd ignored = quit;
  ignored.powered_down = true;
  SeenEnd panic = quit;
  panic.panicked = true;
  SeenEnd by_keeper{.status = killed_by(SIGKILL), .asked = "SIGTERM", .killed = true};
  SeenEnd by_heir{.taken_over = true, .asked = "SIGTERM", .killed = true};
  SeenEnd raced{
      .status = exited(0), .shutdown = "guest-shutdown", .asked = "SIGTERM", .killed = true};
  const Row rows[] = {
      {"guest", guest, "guest-shutdown", "the guest powered off", 0},
      {"asked", asked, "host-shutdown", "the guest powered off, as SIGTERM asked", 0},
      {"taken over", heir, "guest-shutdown", "the guest powered off", 0},
      {"not seen", unseen, "unknown",
       "QEMU ended; how is not known, as its first keeper had ended before it", 1},
      {"not in time", late, "host-shutdown-timeout",
       "ended after SIGHUP: the guest did not power off in time", 4},
      {"quit", quit, "host-qmp-quit", "ended by `quit`, without asking the guest", 0},
      {"did not obey", ignored, "host-qmp-quit",
       "ended by `quit`: the guest did not power off in time", 0},
      {"panic", panic, "guest-panic", "the guest panicked", 1},
      {"killed",
       {.status = killed_by(SIGSEGV)},
       "signal",
       "QEMU was killed by signal 11 (SIGSEGV)",
       1},
      {"by the keeper", by_keeper, "signal", "killed after SIGTERM: QEMU did not answer", 1},
      {"by a keeper that took over", by_heir, "signal", "killed after SIGTERM: QEMU did not answer",
       1},
      {"powered off just before it was killed", raced, "host-shutdown",
       "the guest powered off, as SIGTERM asked", 0},
      {"failed",
       {.status = exited(1), .said = "no such device"},
       "error",
       "QEMU ended with exit code 1",
       1},
      {"suspended",
       {.status = exited(0), .shutdown = "host-qmp-quit", .suspended = true},
       "suspended",
       "suspended: its state is on the disk",
       0},
      {"suspended and asked to stop",
       {.status = killed_by(SIGKILL), .asked = "SIGTERM", .suspended = true},
       "suspended",
       "suspended: its state is on the disk, as SIGTERM asked",
       0},
      {"quietly", {.status = exited(0)}, "exit", "QEMU ended by itself with exit code 0", 0},
      {"window",
       {.status = exited(0), .shutdown = "host-ui"},
       "host-ui",
       "its window was closed",
       0},
      {"a word of a later QEMU",
       {.status = exited(0), .shutdown = "new-word"},
       "new-word",
       "QEMU ended: new-word",
       1},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    const auto end = describe_end(row.seen, "then");
    CHECK(end.reason == row.reason);
    CHECK(end.text == row.text);
    CHECK(end.time == "then");
    CHECK(end.exit.empty() == !row.seen.status.has_value());
    CHECK(foreground_exit_code(end) == row.code);
  }
  CHECK(describe_end({.status = exited(1), .said = "no such device"}, "").said == "no such device");
  guest.said = "a harmless warning";
  CHECK(describe_end(guest, "").said.empty());
  CHECK(unseen_end(true, "").reason == "host-restart");
  CHECK(unseen_end(false, "").reason == "unknown");
}

TEST_CASE("a sleep of the host is told from a busy moment and from a clock that was set") {
  const Clocks before{.boot = 1000s, .monotonic = 900s};
  // An hour awake.
  CHECK(time_slept(before, {4600s, 4500s}) == 0s);
  // An hour of which ten minutes were slept.
  CHECK(time_slept(before, {4600s, 3900s}) == 600s);
  // The clocks are not read at the same moment.
  CHECK(time_slept(before, {1100s, 1000s - 40ms}) == 0s);
  CHECK(time_slept(before, {1100s, 1000s + 40ms}) == 0s);
  CHECK(time_slept(before, {1100s, 1000s - 1s}) == 1s);
  CHECK(time_slept(before, before) == 0s);
  // This host has not slept between two looks.
  SleepWatch watch;
  CHECK(watch.fd() >= 0);
  CHECK(watch.look() == 0s);
}

TEST_CASE("a start list knows each process before it runs, and ends those and no others") {
  const Folder folder;
  CHECK(read_start_list(folder.path).empty());
  end_start(folder.path);
  const auto list = begin_start_list(folder.path);
  REQUIRE(list);
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  const auto bystander = spawn(options);
  options.announce = list.get();
  const auto child = spawn(options);
  const auto all = read_start_list(folder.path);
  REQUIRE(all.size() == 2);
  CHECK(all[0] == *identify(getpid()));
  CHECK(all[1] == child.id);

  // Without this process, which is to go on.
  std::ifstream in(folder.path + "/starting");
  std::string boot, self, rest;
  std::getline(in, boot);
  std::getline(in, self);
  std::getline(in, rest);
  CHECK(boot == boot_id());
  std::ofstream(folder.path + "/starting") << boot << '\n' << rest << '\n';
  end_start(folder.path);
  CHECK(reap(child, std::chrono::steady_clock::now() + 10s) == SIGKILL);
  CHECK(alive(bystander.id));

  // The same of another boot, or with another start time, means nobody.
  const auto other = read_file("/proc/" + std::to_string(bystander.id.pid) + "/stat");
  std::ofstream(folder.path + "/starting") << "another boot\n" << other;
  end_start(folder.path);
  auto older = other;
  const auto start = ' ' + std::to_string(bystander.id.start_time) + ' ';
  older.replace(older.find(start), start.size(),
                ' ' + std::to_string(bystander.id.start_time - 1) + ' ');
  std::ofstream(folder.path + "/starting") << boot << '\n' << older;
  REQUIRE(read_start_list(folder.path).size() == 1);
  end_start(folder.path);
  CHECK(alive(bystander.id));
  kill_and_reap(bystander);
}

TEST_CASE("each step has a name of its own") {
  const auto& names = step_names();
  CHECK(names.size() == static_cast<std::size_t>(Step::warm_loaded) + 1);
  CHECK(std::set<std::string_view>(names.begin(), names.end()).size() == names.size());
}
