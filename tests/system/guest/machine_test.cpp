// SPDX-License-Identifier: MIT
// What a real Linux sees of the machine that the profile describes.
#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/spawn.hpp"

#include <chrono>
#include <filesystem>

#include <doctest/doctest.h>

using micro::Guest;
using test::contains;
using test::Home;

namespace {

std::int64_t number(const std::string& text) {
  CHECK_MESSAGE((!text.empty() && text.find_first_not_of("0123456789") == std::string::npos),
                "not a number: " << text);
  return std::strtoll(text.c_str(), nullptr, 10);
}

}  // namespace

TEST_CASE("a Linux guest that is ready for ssh is the machine of its profile") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "machine",
                    {.body = R"(cpu.count = 3
machine.uuid = "6d1c0b5e-1f2a-4c3d-8e9f-0123456789ab"
machine.rtc = "2031-02-03T04:05:06"
machine.smbios.manufacturer = "Maker, Inc."
machine.smbios.product = "Micro = \"one\", two"
machine.smbios.serial = "S-1"
)",
                     .memory = "448 MiB"});
  // No second try: `up` has returned, so ssh has to work.
  REQUIRE(guest.ssh("exit 7").code == 7);
  CHECK(guest.say("nproc") == "3");
  CHECK(guest.say("uname -s") == "Linux");

  // The kernel keeps some tens of MiB for itself.
  const auto memory = number(guest.say("awk '/MemTotal/ { print $2 }' /proc/meminfo"));
  CHECK(memory <= 448 * 1024);
  CHECK(memory > 350 * 1024);

  CHECK(guest.say("cat /sys/class/dmi/id/sys_vendor") == "Maker, Inc.");
  CHECK(guest.say("cat /sys/class/dmi/id/product_name") == "Micro = \"one\", two");
  CHECK(guest.say("cat /sys/class/dmi/id/product_serial") == "S-1");
  CHECK(qlaunch::lower_ascii(guest.say("cat /sys/class/dmi/id/product_uuid")) ==
        "6d1c0b5e-1f2a-4c3d-8e9f-0123456789ab");

  // 2031-02-03T04:05:06Z; it has gone on since.
  constexpr std::int64_t base = 1927857906;
  const auto clock = number(guest.say("cat /sys/class/rtc/rtc0/since_epoch"));
  CHECK(clock >= base);
  CHECK(clock < base + 300);

  CHECK(guest.status()["macs"][0] == guest.say("cat /sys/class/net/eth0/address"));
  guest.shut_down();
  CHECK(guest.get("last_end.text") == "the guest powered off");
}

TEST_CASE("two VMs of one kind run side by side, each with a port and a MAC address of its own") {
  if (micro::skipped()) return;
  Home home;
  const Guest first(home, "first", {});
  const Guest second(home, "second", {});
  CHECK(first.get("ssh_port") != second.get("ssh_port"));
  CHECK(first.say("cat /sys/class/net/eth0/address") !=
        second.say("cat /sys/class/net/eth0/address"));
  // What one is told, the other does not hear: the ports lead to different guests.
  first.say("hostname one");
  CHECK(second.say("hostname") == "micro");
  CHECK(first.say("hostname") == "one");

  // Unless the profile says otherwise, the hardware clock is that of the host, in UTC.
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const auto clock = number(second.say("cat /sys/class/rtc/rtc0/since_epoch"));
  CHECK(clock >= now - 30);
  CHECK(clock <= now + 30);

  first.shut_down();
  CHECK(second.say("echo still here") == "still here");
}

TEST_CASE("a UEFI guest with a TPM has both, and its variables are kept in a qcow2 file") {
  if (micro::skipped()) return;
  if (qlaunch::find_program("swtpm").empty()) return micro::skip("`swtpm` is not installed");
  Home home;
  for (const auto& finding : nlohmann::json::parse(home.run({"doctor", "--json"}).out)) {
    if (finding["topic"] == "uefi" && finding["level"] != "ok")
      return micro::skip(finding["text"].get<std::string>());
  }
  const Guest guest(home, "uefi",
                    {.body = "machine.firmware = \"uefi\"\nmachine.tpm = true\n",
                     .ready = "serial:micro: ready",
                     .kernel = "bzImage"});
  CHECK(guest.ssh("[ -d /sys/firmware/efi ]").code == 0);
  CHECK(guest.ssh("[ -c /dev/tpm0 ]").code == 0);
  CHECK(guest.say("cat /sys/class/tpm/tpm0/tpm_version_major") == "2");
  // A variable that the guest writes is there after a restart.
  const std::string variable =
      "/sys/firmware/efi/efivars/Kept-12345678-1234-1234-1234-123456789abc";
  guest.say(
      "load efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars && "
      "printf '\\007\\000\\000\\000kept' > " +
      variable);
  const auto nvram = home.path() + "/data/uefi/nvram.qcow2";
  REQUIRE(std::filesystem::exists(nvram));
  CHECK(contains(qlaunch::run_and_capture({"qemu-img", "info", "-U", nvram}).out,
                 "file format: qcow2"));
  guest.shut_down();
  CHECK(home.processes().empty());

  REQUIRE(guest.up().code == 0);
  guest.say("load efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars");
  CHECK(guest.say("tail -c 4 " + variable) == "kept");
}

TEST_CASE("a NixOS system's boot.json is read at each start") {
  if (micro::skipped()) return;
  Home home;
  const auto generation = [&](const std::string& number) {
    const auto folder = home.file("system-" + number);
    std::filesystem::create_directories(folder);
    home.write("system-" + number + "/boot.json", R"({"org.nixos.bootspec.v1": {"kernel": ")" +
                                                      micro::folder() + R"(/vmlinux",
                   "initrd": ")" + micro::folder() + R"(/initrd", "init": "/nix/system/init",
                   "kernelParams": ["console=ttyS0", "cryptomgr.notests", "quiet", "panic=-1",
                                    "generation=)" + number +
                                                      R"("]}})");
    std::filesystem::remove(home.file("result"));
    std::filesystem::create_symlink("system-" + number, home.file("result"));
  };
  generation("1");
  home.write("nix.toml",
             "machine.memory = \"384 MiB\"\nkernel.bootspec = \"result\"\n"
             "display.type = \"none\"\n"
             "ready.when = \"agent\"\n");
  const auto up = home.run({"up", "nix.toml"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  const auto cmdline = [&] { return home.run({"exec", "nix", "--", "cat", "/proc/cmdline"}).out; };
  const auto first = cmdline();
  CHECK(contains(first, "init=/nix/system/init "));
  CHECK(contains(first, "generation=1"));
  generation("2");
  const auto reload = home.run({"reload", "nix"});
  REQUIRE_MESSAGE(reload.code == 0, reload.err);
  CHECK(contains(cmdline(), "generation=2"));
  // One that is being written, or of another kind of system.
  home.write("system-2/boot.json", "{\"org.nixos.bootspec.v1\": {\"kernel\": ");
  const auto broken = home.run({"check", "nix.toml"});
  CHECK(broken.code == 2);
  CHECK(contains(broken.err, "is not a bootspec of version 1"));
  CHECK(home.run({"kill", "nix"}).code == 0);
}
