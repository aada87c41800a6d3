// SPDX-License-Identifier: MIT
// A Linux guest that is suspended and goes on: what it had in memory, its network, clock and TPM.
#include "core/text.hpp"
#include "guest/micro.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>

#include <doctest/doctest.h>

#include <poll.h>

using micro::Guest;
using test::contains;
using test::eventually;
using test::Home;

namespace {

double behind(const Guest& guest) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now - std::stod(guest.say("date +%s"));
}

/// In memory only: a file of tmpfs, and a process that counts.
void begin_counting(const Guest& guest) {
  guest.say(
      "echo kept > /tmp/kept; "
      "(n=0; while :; do n=$((n+1)); echo $n > /tmp/count; sleep 0.1; done) "
      "> /dev/null 2>&1 & echo $! > /tmp/counter");
  CHECK(eventually([&] { return std::atoi(guest.say("cat /tmp/count").c_str()) > 2; }));
}

/// The same process counts on from where it was.
void expect_counting(const Guest& guest, int before) {
  CHECK(guest.say("cat /tmp/kept") == "kept");
  CHECK(guest.ssh("kill -0 $(cat /tmp/counter)").code == 0);
  CHECK(eventually([&] { return std::atoi(guest.say("cat /tmp/count").c_str()) > before; }));
  // Not from the start: that many steps would take longer than this test.
  CHECK(std::atoi(guest.say("cat /tmp/count").c_str()) < before + 600);
}

void suspend_and_go_on(const Home& home, const Guest& guest) {
  begin_counting(guest);
  const auto port = guest.get("ssh_port");
  const int before = std::atoi(guest.say("cat /tmp/count").c_str());
  const auto done = home.run({"suspend", guest.name()});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(guest.get("state") == "suspended");
  // Time is what this is about: its clock must not be where it was.
  poll(nullptr, 0, 3000);
  const auto up = guest.up();
  REQUIRE_MESSAGE(up.code == 0, up.err);
  CHECK(contains(up.out, "goes on from"));
  CHECK(guest.get("ssh_port") == port);
  expect_counting(guest, before);
}

}  // namespace

TEST_CASE("a Linux guest goes on with its memory, its port and the right time") {
  if (micro::skipped()) return;
  Home home;
  home.write("shared/note", "from the host");
  const Guest guest(home, "sleeper",
                    {.body = "[[disk]]\nname = \"data\"\nsize = \"16 MiB\"\n" +
                             micro::share("shared", home.file("shared"), "9p", true),
                     .ready = "agent"});
  guest.say("echo on the disk > /dev/vda; sync");
  REQUIRE(eventually([&] {
    return guest.ssh("mkdir -p /mnt; mount -t 9p -o trans=virtio,version=9p2000.L shared /mnt")
               .code == 0;
  }));
  const auto refused = home.run({"suspend", "sleeper"});
  CHECK(refused.code == 3);
  CHECK(contains(refused.err, "unmount the 9p share in the guest"));
  CHECK(guest.events("STOP") == 0);
  guest.say("umount /mnt");
  suspend_and_go_on(home, guest);
  CHECK(std::abs(behind(guest)) < 3);
  CHECK(guest.say("head -n 1 /dev/vda") == "on the disk");
  guest.shut_down();
}

TEST_CASE("UEFI variables and a TPM go on, too") {
  if (micro::skipped()) return;
  if (qlaunch::find_program("swtpm").empty()) return micro::skip("`swtpm` is not installed");
  Home home;
  const Guest guest(
      home, "sealed",
      {.body = "machine.firmware = \"uefi\"\nmachine.tpm = true\n", .kernel = "bzImage"});
  const auto digest = [&] {
    return guest.say("cat /sys/class/tpm/tpm0/pcr-sha256/0 2>/dev/null || echo none");
  };
  const auto before = digest();
  suspend_and_go_on(home, guest);
  CHECK(digest() == before);
  guest.shut_down();
}

TEST_CASE("the same on a newer QEMU") {
  if (micro::skipped()) return;
  const auto qemu = micro::newer_qemu();
  if (qemu.empty()) return;
  Home home;
  const Guest guest(home, "newer", {.body = "[qemu]\nbinary = \"" + qemu + "\"\n"});
  suspend_and_go_on(home, guest);
  guest.shut_down();
}

namespace {

/// An ephemeral run of a profile, which has to be ready when it comes back.
nlohmann::json start_run(const Home& home, const std::string& profile) {
  const auto up = home.run({"up", "--ephemeral", profile, "--json"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  return nlohmann::json::parse(up.out);
}

std::string in_guest(const Home& home, const std::string& profile, const std::string& command) {
  const auto done = home.run({"run", profile, "--", "sh", "-c", command});
  CHECK_MESSAGE(done.code == 0, done.err);
  return std::string(qlaunch::trim(done.out));
}

void expect_time(const std::string& guest) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(std::abs(now - std::stod(guest)) < 3);
}

}  // namespace

TEST_CASE("Linux starts from its ready state: network, time and random numbers are its own") {
  if (micro::skipped()) return;
  Home home;
  std::string body = "[start]\nwarm = true\n[[disk]]\nname = \"data\"\nsize = \"16 MiB\"\n";
  micro::Recipe recipe;
  bool newer = false;
  SUBCASE("on this QEMU") {}
  SUBCASE("on a newer one") {
    newer = true;
    const auto qemu = micro::newer_qemu();
    if (qemu.empty()) return;
    body += "[qemu]\nbinary = \"" + qemu + "\"\n";
  }
  recipe.body = body;
  home.write("web.toml", micro::profile("web", recipe));
  const auto first = start_run(home, "web.toml");
  REQUIRE(first["warm"].is_string());
  const auto second = start_run(home, "web.toml");
  CHECK(second["warm"] == first["warm"]);
  CHECK(first["ssh_port"] != second["ssh_port"]);
  // Both are reached, each through its own port, although they are one machine to themselves.
  CHECK(micro::ssh(first["ssh_port"].dump(), "echo here").out == "here\n");
  CHECK(micro::ssh(second["ssh_port"].dump(), "echo there").out == "there\n");
  if (newer) return;
  // The state is older than that by now.
  poll(nullptr, 0, 3000);
  expect_time(in_guest(home, "web.toml", "date +%s"));
  CHECK(in_guest(home, "web.toml", "cat /proc/sys/kernel/random/uuid") !=
        in_guest(home, "web.toml", "cat /proc/sys/kernel/random/uuid"));
  // A disk that one has written is as it was for the next.
  in_guest(home, "web.toml", "echo written > /dev/vda; sync");
  CHECK(in_guest(home, "web.toml", "head -c 7 /dev/vda | tr -d '\\0'").empty());
  for (const auto& vm : {first, second}) {
    const auto off = home.run({"shutdown", vm["name"], "--timeout", "60s"});
    CHECK_MESSAGE(off.code == 0, off.err);
  }
}

TEST_CASE("UEFI variables and a TPM are part of a ready state") {
  if (micro::skipped()) return;
  if (qlaunch::find_program("swtpm").empty()) return micro::skip("`swtpm` is not installed");
  Home home;
  home.write("web.toml",
             micro::profile("web", {.body = "machine.firmware = \"uefi\"\nmachine.tpm = true\n"
                                            "[start]\nwarm = true\n",
                                    .kernel = "bzImage"}));
  const auto first = start_run(home, "web.toml");
  CHECK(first["warm"].is_string());
  CHECK(in_guest(home, "web.toml", "ls /dev/tpm0; ls -d /sys/firmware/efi") ==
        "/dev/tpm0\n/sys/firmware/efi");
  const auto digest = "cat /sys/class/tpm/tpm0/pcr-sha256/0";
  CHECK(in_guest(home, "web.toml", digest) == in_guest(home, "web.toml", digest));
  CHECK(in_guest(home, "web.toml", digest).size() == 64);
}
