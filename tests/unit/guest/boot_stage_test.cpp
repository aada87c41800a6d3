// SPDX-License-Identifier: MIT
// What guests really write on their serial ports, and what is made of it.
#include "guest/boot_stage.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

/// All of it at once; in pieces of every size the same has to come of it.
BootSeen seen_in(const std::string& text) {
  BootReader whole;
  whole.feed(text);
  for (const std::size_t size : {1U, 2U, 7U, 64U}) {
    BootReader pieces;
    for (std::size_t at = 0; at < text.size(); at += size) pieces.feed(text.substr(at, size));
    CHECK(pieces.seen() == whole.seen());
  }
  return whole.seen();
}

const std::string ovmf =
    "\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01H\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01H";
const std::string no_disk =
    ovmf +
    "BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x8,0x0): Not "
    "Found\r\nBdsDxe: loading Boot0002 \"EFI Internal Shell\" from Fv(7CB8BDC9)\r\n";
const std::string shell = no_disk + "\x1b[2J\x1b[01;01H\x1b[01;01HUEFI Interactive Shell v2.2\r\n";
const std::string kernel =
    "[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org)\r\n"
    "[    0.000000] Command line: console=ttyS0 cryptomgr.notests panic=-1\r\n";
const std::string micro =
    "[    3.388870] input: Power Button as /devices/LNXSYSTM:00/LNXPWRBN:00/input/input2\r\n"
    "micro: ready\r\n\r\n\r\nBusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) built-in shell "
    "(ash)\r\n"
    "Enter 'help' for a list of built-in commands.\r\n\r\n/ # \x1b[6n";
const std::string debian =
    "[    3.279953] systemd[1]: Failed to find module 'autofs4'\r\n"
    "[\x1b[0;1;38;5;185mUNSUPP\x1b[0m] Starting of \x1b[0;1;39mproc-sys-fs-bi…ystem Automount "
    "Point unsupported.\r\r\n"
    "[   19.173122] cloud-init[213]: Cloud-init v. 22.4.2 running 'init-local' at Fri, 20 Nov 2026 "
    "16:11:19 +0000. Up 18.88 seconds.\r\n"
    "\r\r\nDebian GNU/Linux 12 deb ttyS0\r\n\r\n"
    "deb login: [   43.722288] cloud-init[364]: Cloud-init v. 22.4.2 running 'modules:final'\r\n";

}  // namespace

TEST_CASE("how far a guest is shows in what it writes") {
  CHECK(seen_in("").stage == BootStage::silent);
  CHECK(seen_in(ovmf).stage == BootStage::something);
  CHECK(seen_in(no_disk).stage == BootStage::firmware);
  CHECK(seen_in(ovmf + "EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID\r\n").stage ==
        BootStage::boot_loader);
  CHECK(seen_in(ovmf + kernel).stage == BootStage::kernel);
  CHECK(seen_in(kernel + micro).stage == BootStage::userspace);
  CHECK(seen_in(debian.substr(0, 60)).stage == BootStage::userspace);
  CHECK(seen_in(debian).stage == BootStage::login);
  CHECK(seen_in("[    1.2] <<< NixOS Stage 1 >>>\r\n").stage == BootStage::userspace);
  CHECK(seen_in("hello from qlaunch\r\n").stage == BootStage::something);
  CHECK(boot_words(seen_in(kernel)) == "its kernel boots");
  CHECK(boot_words(seen_in("")).empty());
  for (const auto& text : {ovmf, kernel, micro, debian})
    CHECK(seen_in(text).trouble == BootTrouble::none);
}

TEST_CASE("a guest that starts anew is where it starts") {
  CHECK(seen_in(debian + "[  101.077890] reboot: Restarting system\r\n" + no_disk).stage ==
        BootStage::firmware);
  CHECK(seen_in(debian + kernel).stage == BootStage::kernel);
  const auto panicked = kernel + "[    1.1] Kernel panic - not syncing: test\r\n";
  CHECK(seen_in(panicked + kernel).trouble == BootTrouble::panic);
  CHECK(seen_in(panicked + no_disk).trouble == BootTrouble::none);
}

TEST_CASE("why a guest comes no further is told in its own words") {
  auto seen = seen_in(shell);
  CHECK(seen.trouble == BootTrouble::nothing_to_boot);
  CHECK(seen.said == "UEFI Interactive Shell v2.2");
  CHECK(seen_in(shell + kernel).trouble == BootTrouble::none);
  seen = seen_in(kernel +
                 "[    1.407218] VFS: Cannot open root device \"\" or unknown-block(0,0)\r\n"
                 "[    1.410011] Kernel panic - not syncing: VFS: Unable to mount root fs on "
                 "unknown-block(0,0)\r\n"
                 "[    1.411000] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs "
                 "on unknown-block(0,0) ]---\r\n");
  CHECK(seen.trouble == BootTrouble::no_root);
  CHECK(seen.said ==
        "Kernel panic - not syncing: VFS: Unable to mount root fs on "
        "unknown-block(0,0)");
  seen = seen_in(kernel + "[    2.0] Kernel panic - not syncing: Attempted to kill init!\r\n");
  CHECK(seen.trouble == BootTrouble::panic);
  CHECK(
      seen_in("Gave up waiting for root file system device.\r\nALERT!  /dev/vda1 does not exist.  "
              "Dropping to a shell!\r\n")
          .trouble == BootTrouble::no_root);
  CHECK(
      seen_in("You are in emergency mode. After logging in, type \"journalctl -xb\"\r\n").trouble ==
      BootTrouble::emergency);
}

TEST_CASE("what to try follows from how far it came and what was waited for") {
  const auto first = [](const BootSeen& seen, ReadyWhen::Kind kind, std::size_t which) {
    const auto advice = boot_advice(seen, {kind, {}, 80}, "'a b'");
    REQUIRE(advice.size() > which);
    return advice[which];
  };
  using Kind = ReadyWhen::Kind;
  CHECK(first(seen_in(""), Kind::ssh, 0) == "nothing has come out of its serial port");
  CHECK(first(seen_in(""), Kind::ssh, 1).find("console=ttyS0") != std::string::npos);
  CHECK(first(seen_in(shell), Kind::ssh, 0) ==
        "its firmware finds nothing to boot: UEFI Interactive Shell v2.2");
  CHECK(first(seen_in(kernel), Kind::ssh, 1).find("longer") != std::string::npos);
  CHECK(first(seen_in(debian), Kind::ssh, 1).find("qlaunch console 'a b'") != std::string::npos);
  CHECK(first(seen_in(debian), Kind::agent, 1).find("qemu-guest-agent") != std::string::npos);
  CHECK(first(seen_in(debian), Kind::port, 1).find("port 80") != std::string::npos);
  auto agent = seen_in("");
  agent.agent = true;
  CHECK(first(agent, Kind::ssh, 0) == "its agent answers: its system is up");
  CHECK(first(agent, Kind::ssh, 1).find("qlaunch exec 'a b'") != std::string::npos);
  CHECK(boot_words(agent) == "its agent answers");
}

TEST_CASE("a guest may write anything") {
  CHECK(seen_in(std::string(100000, 'x')).stage == BootStage::something);
  CHECK(seen_in(std::string(5000, '\x1b') + "[[[[\n\x1b[\n\x1b[;;;;;").stage ==
        BootStage::something);
  CHECK(seen_in(std::string(4096, '\0')).stage == BootStage::something);
  const auto said = seen_in("Kernel panic - not syncing: " + std::string(900, 'y') + '\n').said;
  CHECK(said.size() == 200);
  CHECK(boot_advice(seen_in("Kernel panic - not syncing: \x07\xff\n"), {}, "x")[0].find('\x07') ==
        std::string::npos);
}
