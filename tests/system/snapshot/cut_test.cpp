// SPDX-License-Identifier: MIT
// SIGKILL for the command, for QEMU, and for both at each step of making, taking up and deleting a
// snapshot; a full disk in the middle; and what others are told meanwhile. The steps are those that
// the binary names.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"
#include "snapshot/vm.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/mount.h>

using fault::Who;
using snap::Vm;
using test::contains;
using test::eventually;
using test::Home;

namespace fs = std::filesystem;

namespace {

/// What is under way when somebody is killed. Before it, block 0 of both disks is 'b', in the
/// snapshots `live` (RAM too) and `off` (disks alone) it is 'a'.
enum class Doing { save, save_disks, load, restart, keep, apply, remove, remove_stopped };

struct Case {
  std::string step;
  std::vector<Doing> doing;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"save-begun", {Doing::save, Doing::save_disks}},
      {"save-saved", {Doing::save, Doing::save_disks}},
      {"save-recorded", {Doing::save}},
      {"load-begun", {Doing::load}},
      {"load-loaded", {Doing::load}},
      {"load-recorded", {Doing::load}},
      {"restart-begun", {Doing::restart}},
      {"restart-ended", {Doing::restart}},
      {"restart-applied", {Doing::restart}},
      {"restart-started", {Doing::restart}},
      {"keep-begun", {Doing::keep}},
      {"keep-first-disk", {Doing::keep}},
      {"keep-all-disks", {Doing::keep}},
      {"keep-recorded", {Doing::keep}},
      {"apply-begun", {Doing::apply}},
      {"apply-first-disk", {Doing::apply}},
      {"apply-all-disks", {Doing::apply}},
      {"delete-begun", {Doing::remove}},
      {"delete-first-disk", {Doing::remove_stopped}},
      {"delete-all-disks", {Doing::remove, Doing::remove_stopped}},
      {"delete-forgotten", {Doing::remove}},
  };
  return all;
}

bool of_stopped(Doing doing) {
  return doing == Doing::keep || doing == Doing::apply || doing == Doing::remove_stopped;
}

std::vector<std::string> words_of(Doing doing) {
  switch (doing) {
    case Doing::save:
    case Doing::keep:
      return {"snapshot", "create", "vm", "new"};
    case Doing::save_disks:
      return {"snapshot", "create", "vm", "new", "--disk-only"};
    case Doing::load:
      return {"snapshot", "revert", "vm", "live", "--discard"};
    case Doing::restart:
    case Doing::apply:
      return {"snapshot", "revert", "vm", "off", "--discard"};
    case Doing::remove:
    case Doing::remove_stopped:
      break;
  }
  return {"snapshot", "delete", "vm", "live"};
}

/// The starting position, whatever the VM has been through.
void set_up(const Vm& vm, Doing doing) {
  if (vm.state() == "stopped") vm.up();
  if (vm.find("new") != nullptr) vm.run({"snapshot", "delete", "vm", "new"});
  if (vm.find("live") == nullptr) {
    for (const auto* disk : {"data", "more"}) vm.write(disk, 0, 'a');
    vm.create("live");
  }
  if (vm.find("off") == nullptr) {
    for (const auto* disk : {"data", "more"}) vm.write(disk, 0, 'a');
    vm.create("off", {"--disk-only"});
  }
  for (const auto* disk : {"data", "more"}) vm.write(disk, 0, 'b');
  if (of_stopped(doing)) vm.kill();
}

/// What holds after every cut, as soon as any command has looked.
void expect_all_or_nothing(const Vm& vm, Doing doing) {
  for (const auto& each : vm.list()) CHECK_MESSAGE(each["health"] == "whole", each.dump());
  // The list says what the disks hold, and these agree.
  for (const auto* tag : {"new", "live", "off"}) {
    const auto listed = vm.find(tag) != nullptr;
    for (const auto* disk : {"root", "data", "more"}) {
      const auto there = snap::tags_in(vm.disk(disk));
      CHECK((std::find(there.begin(), there.end(), tag) != there.end()) == listed);
    }
  }
  const auto data = vm.content("data"), more = vm.content("more");
  CHECK(data == more);
  const bool reverts = doing == Doing::load || doing == Doing::restart || doing == Doing::apply;
  CHECK((data == "b..............." || (reverts && data == "a...............")));
  CHECK_FALSE(fs::exists(vm.file("snapshot-work.json")));
}

/// Kills at the step: the command that stands there, and QEMU as wanted.
void cut(Vm& vm, const std::string& step, Doing doing, bool command, bool qemu) {
  auto& home = vm.home();
  CAPTURE(command);
  CAPTURE(qemu);
  set_up(vm, doing);
  home.environment = {"QLAUNCH_TEST_STOP_AT=" + step};
  const auto child = home.start(words_of(doing));
  home.environment.clear();
  const int stopped = fault::stopped_at_step(home);
  REQUIRE_MESSAGE(stopped > 1, "nobody came to this step");
  // A killed command says nothing: what it did is over, and the record of it means nothing.
  if (command) fault::kill_for_sure(stopped);
  if (qemu) {
    for (const int each : fault::pids(home, Who::qemu)) fault::kill_for_sure(each);
  }
  if (!command) kill(stopped, SIGCONT);
  REQUIRE(fault::ended(child));
  fault::code_of(child);
  CHECK(vm.state() != "busy");
  expect_all_or_nothing(vm, doing);
  if (vm.state() != "stopped") vm.kill();
  // A QEMU that is killed leaves clusters that it had let go of; whoever settles after it frees
  // them.
  const bool nobody_settles = qemu && !command;
  vm.expect_whole_disks(!nobody_settles);
}

}  // namespace

TEST_CASE("every step of snapshots is in the table") {
  const Home home;
  std::vector<std::string> known;
  for (const auto& each : cases()) known.push_back(each.step);
  auto steps = qlaunch::split(home.run({"keeper", "--snapshot-steps"}).out, '\n');
  std::erase(steps, std::string());
  CHECK(steps == known);
}

TEST_CASE("whoever is killed at whatever step, a snapshot is whole or absent") {
  // One VM goes through all of it, as a user's would.
  Home home;
  Vm vm(home);
  vm.up();
  for (const auto& each : cases()) {
    CAPTURE(each.step);
    for (const auto doing : each.doing) {
      CAPTURE(static_cast<int>(doing));
      cut(vm, each.step, doing, true, false);
      if (of_stopped(doing) || doing == Doing::restart) continue;
      if (doing != Doing::save_disks) cut(vm, each.step, doing, false, true);
      cut(vm, each.step, doing, true, true);
    }
  }
  cut(vm, "restart-started", Doing::restart, false, true);
  // And all of it still works.
  set_up(vm, Doing::save);
  vm.create("new");
  vm.revert("live", {"--discard"});
  CHECK(vm.content("data") == "a...............");
  vm.kill();
}

TEST_CASE("a start finishes or undoes what was cut off") {
  Home home;
  Vm vm(home);
  vm.up();
  set_up(vm, Doing::keep);
  home.environment = {"QLAUNCH_TEST_STOP_AT=keep-first-disk"};
  const auto child = home.start({"snapshot", "create", "vm", "new"});
  home.environment.clear();
  const int stopped = fault::stopped_at_step(home);
  REQUIRE(stopped > 1);
  // While it works nobody starts the VM.
  fault::kill_for_sure(stopped);
  fault::code_of(child);
  CHECK(snap::tags_in(vm.disk("root")).size() == 3);
  vm.up();
  CHECK(snap::tags_in(vm.disk("root")).size() == 2);
  CHECK(vm.find("new") == nullptr);
}

TEST_CASE("what a command does that takes long is told to others, as long as it lives") {
  Home home;
  const Vm vm(home);
  vm.up();
  home.environment = {"QLAUNCH_TEST_STOP_AT=save-begun"};
  const auto child = home.start({"snapshot", "create", "vm", "new"});
  home.environment.clear();
  const int stopped = fault::stopped_at_step(home);
  REQUIRE(stopped > 1);
  CHECK(vm.state() == "busy");
  CHECK(contains(vm.run({"list"}), "saving snapshot new"));
  CHECK(contains(vm.run({"status", "vm"}), "operation    saving snapshot new (since "));
  CHECK(vm.run({"status", "vm", "--get", "operation.pid"}) == std::to_string(stopped) + '\n');
  const auto second = home.start({"snapshot", "create", "vm", "other"});
  const auto waited = home.run({"pause", "vm"});
  CHECK(waited.code == 4);
  CHECK(contains(waited.err, "VM `vm` is busy, saving snapshot new"));
  CHECK(fault::code_of(second) == 4);
  CHECK(contains(qlaunch::read_file(home.path() + "/err"), "VM `vm` is busy: saving snapshot new"));
  CHECK(vm.tags().empty());
  fault::kill_for_sure(stopped);
  fault::code_of(child);
  CHECK(fs::exists(vm.file("operation.json")));
  CHECK(vm.state() == "running");
  CHECK(vm.run({"status", "vm", "--get", "operation"}) == "null\n");
  CHECK(vm.tags().empty());
}

TEST_CASE("a disk that fills up in the middle leaves the VM running and no snapshot") {
  Home home;
  const auto data = home.path() + "/data";
  fs::create_directory(data);
  const auto options = "size=64m,mode=0700,uid=" + std::to_string(test::user()) +
                       ",gid=" + std::to_string(test::user());
  if (mount("tmpfs", data.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    MESSAGE("[skip] a full disk: no file system can be mounted here");
    return;
  }
  const struct Unmount {
    std::string path;
    ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
  } unmount{data};
  const Vm vm(home);
  vm.up();
  vm.write("data", 0, 'a');
  vm.create("before");
  const auto fill = [&](std::uintmax_t leave) {
    std::ofstream file(data + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (fs::space(data).available > leave &&
           file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  };
  SUBCASE("known before") {
    fill(2U << 20U);
    const auto failed = home.run({"snapshot", "create", "vm", "new"});
    CHECK(failed.code == 1);
    CHECK(contains(failed.err, "not enough space in "));
  }
  SUBCASE("not known before") {
    home.environment = {"QLAUNCH_TEST_STOP_AT=save-begun"};
    const auto child = home.start({"snapshot", "create", "vm", "new"});
    home.environment.clear();
    const int stopped = fault::stopped_at_step(home);
    REQUIRE(stopped > 1);
    fill(100U << 10U);
    kill(stopped, SIGCONT);
    CHECK(fault::code_of(child) == 1);
    const auto said = qlaunch::read_file(home.path() + "/err");
    CHECK_MESSAGE(contains(said, "QEMU could not save the snapshot `new` of VM `vm`: "), said);
  }
  CHECK(vm.tags() == "before*");
  CHECK(vm.state() == "running");
  CHECK(vm.content("data") == "a...............");
  fs::remove(data + "/filler");
  vm.write("data", 0, 'b');
  vm.create("new");
  vm.revert("before", {"--discard"});
  CHECK(vm.content("data") == "a...............");
  vm.kill();
  vm.expect_whole_disks();
  home.run({"kill", "vm"});
}
