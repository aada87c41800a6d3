// SPDX-License-Identifier: MIT
// Snapshots of a real Linux: a counter in its memory and words on each of two disks, with UEFI and
// with BIOS, with a TPM and without.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <csignal>
#include <ctime>

#include <doctest/doctest.h>

#include <sys/stat.h>

using micro::Guest;
using test::contains;
using test::eventually;
using test::Home;

namespace {

constexpr auto disks =
    "[[disk]]\nname = \"one\"\nserial = \"one\"\nsize = \"4 MiB\"\n"
    "[[disk]]\nname = \"two\"\nserial = \"two\"\nsize = \"4 MiB\"\n";

std::string run(const Home& home, const std::vector<std::string>& words) {
  const auto done = home.run(words);
  REQUIRE_MESSAGE(done.code == 0, qlaunch::join(words, " ") << ": " << done.out << done.err);
  if (!done.err.empty()) MESSAGE(done.err);
  return done.out;
}

/// Words that only memory holds, and the same at the start of each disk.
void set_state(const Guest& guest, const std::string& words) {
  guest.say("printf '%-9s' " + words + " > /run/memory; for disk in vda vdb; do printf '%-9s' " +
            words + " | dd of=/dev/$disk conv=notrunc,fsync 2>/dev/null; done");
}

std::string state_of(const Guest& guest) {
  return guest.say(
      "echo 3 > /proc/sys/vm/drop_caches; cat /run/memory; head -c 9 /dev/vda; head -c 9 /dev/vdb");
}

std::string state_text(const std::string& words) {
  auto padded = words;
  padded.resize(9, ' ');
  return std::string(qlaunch::trim(padded + padded + padded));
}

/// Bytes of the host's disk.
std::size_t taken_by(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 ? static_cast<std::size_t>(facts.st_blocks) * 512 : 0;
}

long count_of(const Guest& guest) {
  return std::atol(guest.say("cat /run/count").c_str());
}

}  // namespace

TEST_CASE("three generations and a branch of a Linux, with its memory, its disks and its clock") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "bios", {.body = disks, .memory = "256 MiB"});
  const auto snapshot = [&](const std::string& action, const std::string& tag) {
    std::vector<std::string> words{"snapshot", action, "bios", tag};
    if (action == "revert") words.emplace_back("--discard");
    return run(home, words);
  };
  REQUIRE(guest.wait("agent").code == 0);
  set_state(guest, "first");
  guest.say(
      "(while :; do i=$((i+1)); echo $i > /run/count; sleep 0.2; done) "
      ">/dev/null 2>&1 </dev/null &");
  snapshot("create", "a");
  const auto then = count_of(guest);
  CHECK(eventually([&] { return count_of(guest) > then + 3; }));
  set_state(guest, "second");
  snapshot("create", "b");
  set_state(guest, "third");
  snapshot("create", "c");
  CHECK(eventually([&] { return count_of(guest) > then + 8; }));
  set_state(guest, "lost");

  snapshot("revert", "a");
  CHECK(state_of(guest) == state_text("first"));
  CHECK(count_of(guest) < then + 8);
  set_state(guest, "branch");
  snapshot("create", "d");
  snapshot("revert", "c");
  CHECK(state_of(guest) == state_text("third"));
  CHECK(std::abs(std::atol(guest.say("date +%s").c_str()) - std::time(nullptr)) <= 3);
  // The agent holds the file systems for a snapshot of the disks alone, and lets them go again.
  const auto said = run(home, {"snapshot", "create", "bios", "e", "--disk-only"});
  CHECK_MESSAGE(contains(said, "2 disks, the guest's file systems at rest"), said);
  guest.say("touch /root/thawed");

  guest.shut_down();
  snapshot("revert", "d");
  CHECK(state_of(guest) == state_text("branch"));
  const auto now = count_of(guest);
  CHECK(eventually([&] { return count_of(guest) > now; }));
}

TEST_CASE("a Linux on UEFI with a TPM, and QEMU or the command killed in the middle of a save") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(
      home, "uefi",
      {.body = std::string("machine.firmware = \"uefi\"\nmachine.tpm = true\n") + disks,
       .kernel = "bzImage",
       .memory = "256 MiB"});
  set_state(guest, "first");
  run(home, {"snapshot", "create", "uefi", "a"});
  set_state(guest, "second");
  run(home, {"snapshot", "revert", "uefi", "a", "--discard"});
  CHECK(state_of(guest) == state_text("first"));

  const auto image = home.path() + "/data/uefi/state.qcow2";
  const auto begun = [&] {
    const auto size = taken_by(image);
    auto child = home.start({"snapshot", "create", "uefi", "b"});
    // Its memory is on its way to the disk.
    CHECK(eventually([&] { return taken_by(image) > size + (4U << 20U); }));
    return child;
  };
  const auto tags = [&] {
    std::string out;
    const auto list = run(home, {"snapshot", "list", "uefi", "--json"});
    for (const auto& each : nlohmann::json::parse(list)) {
      CHECK_MESSAGE(each["health"] == "whole", each.dump());
      out += each["tag"];
    }
    return out;
  };
  {
    const auto child = begun();
    fault::kill_for_sure(child.id.pid);
    fault::code_of(child);
    // QEMU finishes what it has begun, and nobody takes it for dead.
    CHECK_FALSE(contains(guest.get("state"), "unresponsive"));
    CHECK(eventually([&] { return guest.get("state") == "running"; }));
    CHECK(tags() == "ab");
    run(home, {"snapshot", "delete", "uefi", "b"});
  }
  {
    const auto child = begun();
    fault::kill_for_sure(fault::pid(home, fault::Who::qemu));
    CHECK(fault::code_of(child) == 1);
    CHECK(tags() == "a");
    CHECK(guest.get("state") == "stopped");
  }
  for (const auto* disk : {"one", "two", "nvram", "state"}) {
    const auto path = home.path() + "/data/uefi/" + disk + ".qcow2";
    const auto check = qlaunch::run_and_capture({"qemu-img", "check", "-q", path});
    CHECK_MESSAGE(check.ok(), path << check.out << check.err);
  }
  run(home, {"up", "--from", "a", "uefi"});
  CHECK(state_of(guest) == state_text("first"));
}
