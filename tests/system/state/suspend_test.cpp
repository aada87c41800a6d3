// SPDX-License-Identifier: MIT
// VMs to the disk and back: what goes on, what is refused meanwhile, and what happens when the disk
// is full or somebody else has written to it. The guest is the smallest one.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"
#include "host/process.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/mount.h>
#include <unistd.h>

using test::contains;
using test::eventually;
using test::Home;
namespace fs = std::filesystem;

namespace {

/// How often the guest has greeted, which it does once a boot.
std::size_t boots(const Home& home, const std::string& vm) {
  const auto log = home.run({"log", vm, "serial"}).out;
  std::size_t count = 0;
  for (auto at = log.find("hello from"); at != std::string::npos;
       at = log.find("hello from", at + 1))
    ++count;
  return count;
}

std::string state(const Home& home, const std::string& vm) {
  return std::string(qlaunch::trim(home.run({"status", vm, "--get", "state"}).out));
}

void expect_obedience(const Home& home, const std::string& vm) {
  const auto off = home.run({"shutdown", vm, "--timeout", "30s"});
  CHECK_MESSAGE(off.code == 0, off.err);
  CHECK(contains(off.out, "the guest powered off"));
}

/// Everything a state leaves in a VM's folder.
std::vector<std::string> left(const Home& home, const std::string& vm) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(home.path() + "/data/" + vm)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("suspend")) out.push_back(name);
  }
  return out;
}

}  // namespace

TEST_CASE("a suspended guest goes on, and nothing of its state is left") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto done = home.run({"suspend", "tiny"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(contains(done.out, "tiny: suspended; its state takes "));
  CHECK(home.processes().empty());
  CHECK(state(home, "tiny") == "suspended");
  const auto status = fault::status(home, "tiny");
  CHECK(status["pid"].is_null());
  CHECK(status["last_end"]["reason"] == "suspended");
  CHECK(status["suspended"]["bytes"] == fs::file_size(home.path() + "/data/tiny/suspended.state"));
  CHECK(contains(home.run({"list"}).out, "suspended"));
  // Its memory is somebody's secret.
  CHECK((fs::status(home.path() + "/data/tiny/suspended.state").permissions() & fs::perms(077)) ==
        fs::perms::none);

  SUBCASE("by the VM's name") {
    const auto up = home.run({"up", "tiny"});
    REQUIRE_MESSAGE(up.code == 0, up.err);
    CHECK(contains(up.out, "tiny goes on from 20"));
  }
  SUBCASE("by its profile") {
    REQUIRE(home.run({"up", "tiny.toml", "--json"}).code == 0);
  }
  SUBCASE("with its profile gone") {
    fs::remove(home.file("tiny.toml"));
    const auto up = home.run({"up", "tiny"});
    CHECK_MESSAGE(up.code == 0, up.err);
  }
  SUBCASE("with another profile, which takes effect later") {
    home.write("tiny.toml", fault::tiny("guest_sleep = true\n"));
    const auto up = home.run({"up", "tiny.toml"});
    REQUIRE_MESSAGE(up.code == 0, up.err);
    CHECK(contains(up.out, "its profile has changed since then"));
    CHECK(contains(up.out, "machine.guest_sleep"));
    CHECK(fault::status(home, "tiny")["needs_restart"] == true);
  }
  SUBCASE("when it was paused") {
    REQUIRE(home.run({"up", "tiny"}).code == 0);
    REQUIRE(home.run({"pause", "tiny"}).code == 0);
    REQUIRE(home.run({"suspend", "tiny"}).code == 0);
    REQUIRE(home.run({"up", "tiny"}).code == 0);
  }
  CHECK(state(home, "tiny") == "running");
  CHECK(left(home, "tiny").empty());
  CHECK(boots(home, "tiny") == 1);
  expect_obedience(home, "tiny");
  // And then it boots again, as its profile says now.
  const bool gone = !fs::exists(home.file("tiny.toml"));
  CHECK(home.run({"up", "tiny"}).code == (gone ? 2 : 0));
}

TEST_CASE("nobody touches a suspended VM") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"suspend", "tiny"}).code == 0);
  const auto disk = home.path() + "/data/tiny/root.qcow2";
  for (const std::vector<std::string>& words : {std::vector<std::string>{"shutdown", "tiny"},
                                                {"suspend", "tiny"},
                                                {"kill", "tiny"},
                                                {"rename", "tiny", "other"},
                                                {"console", "tiny"},
                                                {"resume", "tiny"},
                                                {"wait", "tiny", "--for", "ready"},
                                                {"up", "tiny", "--set", "machine.memory=32MiB"}}) {
    CAPTURE(qlaunch::join(words, " "));
    const auto refused = home.run(words);
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "is suspended"));
    CHECK(contains(refused.err, "`qlaunch up tiny` lets it go on"));
    CHECK(contains(refused.err, "--discard-state"));
  }
  home.write("other.toml", "name = \"other\"\n[machine]\nmemory = \"16 MiB\"\n[[disk]]\nfile = \"" +
                               disk + "\"\n[[network]]\nmode = \"none\"\n");
  const auto thief = home.run({"up", "other.toml"});
  CHECK(thief.code == 3);
  CHECK(contains(thief.err, "belongs to the suspended VM `tiny`"));
  home.write("adopt.toml", "name = \"tiny\"\n[machine]\nmemory = \"16 MiB\"\n");
  CHECK(home.run({"up", "--adopt", "adopt.toml"}).code == 3);
  CHECK(home.run({"diff", "tiny"}).code == 0);
  CHECK(state(home, "tiny") == "suspended");

  SUBCASE("a disk that changed all the same is refused, until the state is discarded") {
    {
      const auto bytes = qlaunch::read_file(disk);
      qlaunch::write_file_atomic(disk, bytes);
      if (geteuid() == 0) REQUIRE(chown(disk.c_str(), test::user(), test::user()) == 0);
    }
    const auto refused = home.run({"up", "tiny"});
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "root.qcow2` has changed"));
    CHECK(state(home, "tiny") == "suspended");
    const auto anew = home.run({"up", "--discard-state", "tiny"});
    CHECK_MESSAGE(anew.code == 0, anew.err);
    CHECK_FALSE(contains(anew.out, "goes on from"));
  }
  SUBCASE("a state that cannot be loaded is kept, and says what to do") {
    fs::resize_file(home.path() + "/data/tiny/suspended.state", 5000);
    const auto cut = home.run({"up", "tiny"});
    CHECK(cut.code == 3);
    CHECK(contains(cut.err, "is not whole"));
    // As long as it was, but not what it was.
    const auto size = fault::status(home, "tiny")["suspended"]["bytes"].get<std::uintmax_t>();
    fs::resize_file(home.path() + "/data/tiny/suspended.state", size);
    const auto damaged = home.run({"up", "tiny"});
    CHECK(damaged.code == 1);
    CHECK(contains(damaged.err, "the saved state is kept"));
    CHECK(contains(damaged.err, "--discard-state"));
    CHECK(home.processes().empty());
    CHECK(state(home, "tiny") == "suspended");
    CHECK(home.run({"up", "--discard-state", "tiny"}).code == 0);
  }
  SUBCASE("another QEMU's lack is no loss of the state") {
    const auto record = home.path() + "/data/tiny/suspended.json";
    auto text = qlaunch::read_file(record);
    const std::string qemu = "/qemu-system-x86_64";
    const auto at = text.find(qemu);
    REQUIRE(at != std::string::npos);
    auto other = text;
    other.replace(at, qemu.size(), "/no-such-qemu");
    qlaunch::write_file_atomic(record, other, 0644);
    const auto refused = home.run({"up", "tiny"});
    CHECK(refused.code == 1);
    CHECK(contains(refused.err, "the saved state is kept"));
    qlaunch::write_file_atomic(record, text, 0644);
    const auto up = home.run({"up", "tiny"});
    CHECK_MESSAGE(up.code == 0, up.err);
    CHECK(contains(up.out, "goes on from"));
  }
  CHECK(state(home, "tiny") == "running");
  CHECK(left(home, "tiny").empty());
}

TEST_CASE("what cannot be suspended is said before anything happens") {
  Home home;
  SUBCASE("it is ephemeral") {
    home.write("tiny.toml", fault::tiny());
    REQUIRE(home.run({"up", "--ephemeral", "--name", "tiny", "tiny.toml"}).code == 0);
    const auto refused = home.run({"suspend", "tiny"});
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "is ephemeral"));
  }
  SUBCASE("a disk of it is") {
    home.write("tiny.toml", fault::tiny() +
                                "[[disk]]\nname = \"scratch\"\nfile = \"scratch.raw\"\n"
                                "format = \"raw\"\nephemeral = true\n");
    home.write("scratch.raw", std::string(1 << 20, '\0'));
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    const auto refused = home.run({"suspend", "tiny"});
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "is thrown away at its end"));
  }
  SUBCASE("a device of it cannot be saved") {
    home.write(
        "tiny.toml",
        fault::tiny() + "[qemu]\nargs = [\"-device\", \"usb-ehci\", \"-only-migratable\"]\n");
    home.write("tiny.toml",
               fault::tiny() + "[[disk]]\nname = \"fast\"\nsize = \"1 MiB\"\nbus = \"nvme\"\n");
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    const auto refused = home.run({"suspend", "tiny"});
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "nvme"));
    CHECK(contains(refused.err, "bus = \"virtio\""));
    CHECK(fault::events(home, "tiny", "STOP").empty());
  }
  CHECK(state(home, "tiny") == "running");
  CHECK(left(home, "tiny").empty());
}

TEST_CASE("a profile's other VM is not the one that is suspended") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml", "--name", "another"}).code == 0);
  REQUIRE(home.run({"suspend", "another"}).code == 0);
  bool discard = false;
  SUBCASE("and wakes") {}
  SUBCASE("and loses nothing") {
    discard = true;
  }
  std::vector<std::string> words{"up", "./tiny.toml"};
  if (discard) words.emplace_back("--discard-state");
  const auto up = home.run(words);
  CHECK_MESSAGE(up.code == 0, up.err);
  CHECK(state(home, "tiny") == "running");
  CHECK(state(home, "another") == "suspended");
  REQUIRE(home.run({"kill", "tiny"}).code == 0);
  CHECK(contains(home.run({"up", "another"}).out, "another goes on from"));
}

TEST_CASE("the disks of a suspended VM stay as they are, whatever snapshots it has") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"snapshot", "create", "tiny", "before"}).code == 0);
  REQUIRE(home.run({"suspend", "tiny"}).code == 0);
  const auto disk = home.path() + "/data/tiny/root.qcow2";
  const auto bytes = qlaunch::read_file(disk);
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"snapshot", "create", "tiny", "now"},
                                             {"snapshot", "revert", "tiny", "before"},
                                             {"snapshot", "delete", "tiny", "before"},
                                             {"up", "tiny", "--from", "before"}}) {
    CAPTURE(command[1]);
    const auto refused = home.run(command);
    CHECK(refused.code == 3);
    CHECK(contains(refused.err, "is suspended"));
    CHECK(contains(refused.err, "qlaunch up tiny"));
  }
  CHECK(qlaunch::read_file(disk) == bytes);
  CHECK(contains(home.run({"snapshot", "list", "tiny"}).out, "before"));
  REQUIRE(home.run({"up", "tiny"}).code == 0);
  const auto revert = home.run({"snapshot", "revert", "tiny", "before"});
  CHECK_MESSAGE(revert.code == 0, revert.err);
  expect_obedience(home, "tiny");
}

TEST_CASE("on_host = \"suspend\" saves a VM when its keeper is asked to stop") {
  Home home;
  const std::string on_host = "[shutdown]\non_host = \"suspend\"\ntimeout = \"20s\"\n";
  SUBCASE("it is suspended") {
    home.write("tiny.toml", fault::tiny() + on_host);
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    kill(fault::pid(home, fault::Who::keeper), SIGTERM);
    REQUIRE(eventually([&] { return home.processes().empty(); }));
    CHECK(state(home, "tiny") == "suspended");
    CHECK(fault::status(home, "tiny")["last_end"]["text"] ==
          "suspended: its state is on the disk, as SIGTERM asked");
    CHECK(home.run({"up", "tiny"}).code == 0);
    CHECK(boots(home, "tiny") == 1);
    expect_obedience(home, "tiny");
  }
  SUBCASE("what cannot be saved is shut down") {
    home.write("tiny.toml", fault::tiny() + on_host +
                                "[[disk]]\nname = \"fast\"\nsize = \"1 MiB\"\nbus = \"nvme\"\n");
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    kill(fault::pid(home, fault::Who::keeper), SIGTERM);
    REQUIRE(eventually([&] { return home.processes().empty(); }));
    CHECK(state(home, "tiny") == "stopped");
    CHECK(fault::status(home, "tiny")["last_end"]["reason"] == "host-shutdown");
    CHECK(fault::events(home, "tiny", "SUSPEND_FAILED").size() == 1);
  }
}

TEST_CASE("where the state does not fit, the guest goes on") {
  if (geteuid() != 0) {
    std::puts(
        "[skip] where the state does not fit, the guest goes on: needs root for a small tmpfs");
    return;
  }
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"shutdown", "tiny"}).code == 0);
  const auto data = home.path() + "/data";
  const auto owner =
      "mode=0700,uid=" + std::to_string(test::user()) + ",gid=" + std::to_string(test::user());
  // Room for the disk, and for less than the state.
  REQUIRE(mount("none", data.c_str(), "tmpfs", 0, (owner + ",size=1536k").c_str()) == 0);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto refused = home.run({"suspend", "tiny"});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "there is not enough space"));
  CHECK(fault::events(home, "tiny", "STOP").empty());
  CHECK(state(home, "tiny") == "running");
  CHECK(left(home, "tiny").empty());
  expect_obedience(home, "tiny");
  CHECK(eventually([&] { return home.processes().empty(); }));
  CHECK(umount2(data.c_str(), 0) == 0);
}

TEST_CASE("where the disk gets full while the state is written, the guest goes on") {
  if (geteuid() != 0) {
    std::puts("[skip] where the disk gets full: needs root for a small tmpfs");
    return;
  }
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"shutdown", "tiny"}).code == 0);
  const auto data = home.path() + "/data";
  const auto user = std::to_string(test::user());
  REQUIRE(mount("none", data.c_str(), "tmpfs", 0,
                ("mode=0700,size=40m,uid=" + user + ",gid=" + user).c_str()) == 0);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  // There was room when it looked.
  home.environment = {"QLAUNCH_TEST_STOP_AT=suspend-stopped"};
  const auto command = home.start({"suspend", "tiny"});
  const int there = fault::stopped_at_step(home);
  home.environment.clear();
  REQUIRE(there > 1);
  {
    std::ofstream full(data + "/full", std::ios::binary);
    const std::string block(64 << 10, 'x');
    while (full.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  kill(there, SIGCONT);
  REQUIRE(fault::ended(command));
  CHECK(fault::code_of(command) == 1);
  CHECK(state(home, "tiny") == "running");
  CHECK(left(home, "tiny").empty());
  fs::remove(data + "/full");
  expect_obedience(home, "tiny");
  CHECK(eventually([&] { return home.processes().empty(); }));
  CHECK(umount2(data.c_str(), 0) == 0);
}

TEST_CASE("a start that is killed before QEMU has the state leaves it whole") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"suspend", "tiny"}).code == 0);
  home.environment = {"QLAUNCH_TEST_STOP_AT=launch-obeyed"};
  const auto command = home.start({"up", "tiny"});
  const int there = fault::stopped_at_step(home);
  home.environment.clear();
  REQUIRE(there > 1);
  fault::kill_for_sure(there);
  REQUIRE(fault::ended(command));
  CHECK(eventually([&] { return state(home, "tiny") == "suspended"; }));
  const auto up = home.run({"up", "tiny"});
  CHECK_MESSAGE(up.code == 0, up.err);
  CHECK(contains(up.out, "goes on from"));
  expect_obedience(home, "tiny");
}

TEST_CASE("a QEMU that is stopped by a signal is killed at once") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  kill(fault::pid(home, fault::Who::qemu), SIGSTOP);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(home.run({"kill", "tiny"}).code == 0);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  CHECK(state(home, "tiny") == "stopped");
}
