// SPDX-License-Identifier: MIT
#include "profile/complete.hpp"
#include "profile/keys.hpp"
#include "texts.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using test::sound;

namespace {

/// A profile in which every plain default of the table stands written out.
std::string all_defaults() {
  std::string text;
  for (const auto& section : profile_sections()) {
    if (section.shape != SectionShape::top) text += section.heading() + '\n';
    for (const auto& key : section.keys) {
      if (key.required) text += std::string(key.example) + '\n';
      if (!key.fallback.empty())
        text += std::string(key.name) + " = " + std::string(key.fallback) + '\n';
    }
    if (section.path == "disk") text += "size = \"1 GiB\"\n";
  }
  return text;
}

}  // namespace

TEST_CASE("three lines are a VM") {
  const auto profile = sound("[[disk]]\nimage = \"debian-12.qcow2\"\nsize = \"20 GiB\"\n");
  CHECK(profile.name == "vm");
  CHECK(profile.cpu.count == 2);
  CHECK(profile.machine.memory == 2 * gib);
  CHECK(profile.display.type == DisplayType::automatic);
  CHECK(profile.ready.when == ReadyWhen{});
  REQUIRE(profile.disks.size() == 1);
  CHECK(profile.disks[0].name == "root");
  CHECK(profile.disks[0].image == "/vms/debian-12.qcow2");
  CHECK(profile.disks[0].size == 20 * gib);
  CHECK(profile.disks[0].format == DiskFormat::qcow2);
  REQUIRE(profile.networks.size() == 1);
  CHECK(profile.networks[0].name == "net0");
  CHECK(profile.networks[0].mode == NetworkMode::user);
  CHECK(profile.networks[0].forward == std::vector{Forward{Protocol::tcp, "127.0.0.1", 0, 22}});
}

TEST_CASE("the table's defaults are those of the Profile") {
  const auto loaded = test::load(all_defaults());
  std::string errors;
  for (const auto& finding : loaded.diagnostics) {
    if (finding.severity == Severity::error) errors += finding.message + '\n';
  }
  // These say in the table that they mean nothing for the other driver, and the
  // example of an image has no digest in it.
  CHECK(errors ==
        "image `debian` has no digest\n"
        "`security_model` means nothing for virtiofs\n"
        "`multidevs` means nothing for virtiofs\n");
  const auto& got = loaded.profile;
  const Profile plain;
  const Machine& m = plain.machine;
  CHECK(got.description == plain.description);
  CHECK(got.machine.type == m.type);
  CHECK(got.machine.accel == m.accel);
  CHECK(got.machine.memory == m.memory);
  CHECK(got.machine.firmware == m.firmware);
  CHECK(got.machine.tpm == m.tpm);
  CHECK(got.machine.boot == m.boot);
  CHECK(got.machine.boot_menu == m.boot_menu);
  CHECK(got.machine.rtc == m.rtc);
  CHECK(got.machine.rtc_catchup == m.rtc_catchup);
  CHECK(got.machine.guest_sleep == m.guest_sleep);
  CHECK(got.machine.watchdog == m.watchdog);
  CHECK(got.machine.rng == m.rng);
  CHECK(got.machine.balloon == m.balloon);
  CHECK(got.machine.guest_agent == m.guest_agent);
  CHECK(got.machine.hotplug_ports == m.hotplug_ports);
  CHECK(got.cpu.count == plain.cpu.count);
  CHECK(got.cpu.model == plain.cpu.model);
  CHECK(got.cpu.features == plain.cpu.features);
  CHECK(got.cpu.nested == plain.cpu.nested);
  CHECK(got.cpu.hide_kvm == plain.cpu.hide_kvm);
  CHECK(got.kernel.cmdline == plain.kernel.cmdline);
  REQUIRE(got.disks.size() == 1);
  const Disk disk;
  CHECK(got.disks[0].format == disk.format);
  CHECK(got.disks[0].bus == disk.bus);
  CHECK(got.disks[0].media == disk.media);
  CHECK(got.disks[0].readonly == disk.readonly);
  CHECK(got.disks[0].cache == disk.cache);
  CHECK(got.disks[0].aio == disk.aio);
  CHECK(got.disks[0].discard == disk.discard);
  CHECK(got.disks[0].ephemeral == disk.ephemeral);
  REQUIRE(got.images.size() == 1);
  CHECK(got.images[0].format == Image{}.format);
  REQUIRE(got.networks.size() == 1);
  const Network network;
  CHECK(got.networks[0].mode == network.mode);
  CHECK(got.networks[0].model == network.model);
  CHECK(got.networks[0].forward == network.forward);
  CHECK(got.networks[0].auto_forward == network.auto_forward);
  CHECK(got.networks[0].restrict == network.restrict);
  REQUIRE(got.shares.size() == 1);
  const Share share;
  CHECK(got.shares[0].driver == share.driver);
  CHECK(got.shares[0].readonly == share.readonly);
  CHECK(got.shares[0].on_snapshot == share.on_snapshot);
  CHECK(got.shares[0].queue_size == share.queue_size);
  CHECK(got.shares[0].security_model == share.security_model);
  CHECK(got.shares[0].multidevs == share.multidevs);
  CHECK(got.display.type == plain.display.type);
  CHECK(got.display.gpu == plain.display.gpu);
  CHECK(got.display.clipboard == plain.display.clipboard);
  CHECK(got.display.fullscreen == plain.display.fullscreen);
  CHECK(got.serial.type == plain.serial.type);
  CHECK(got.serial.log == plain.serial.log);
  CHECK(got.audio.driver == plain.audio.driver);
  CHECK(got.audio.model == plain.audio.model);
  CHECK(got.guest.sudo == plain.guest.sudo);
  CHECK(got.guest.ssh_keys == plain.guest.ssh_keys);
  CHECK(got.guest.forward_agent == plain.guest.forward_agent);
  REQUIRE(got.guest.run.size() == 1);
  CHECK(got.guest.run[0].as == GuestRun{}.as);
  CHECK(got.guest.run[0].when == GuestRun{}.when);
  CHECK(got.ready.timeout == plain.ready.timeout);
  CHECK(got.start.warm == plain.start.warm);
  CHECK(got.shutdown.timeout == plain.shutdown.timeout);
  CHECK(got.shutdown.on_host == plain.shutdown.on_host);
  CHECK(got.qemu.binary == plain.qemu.binary);
  CHECK(got.qemu.args == plain.qemu.args);
  CHECK(got.qemu.sandbox == plain.qemu.sandbox);
}

TEST_CASE("a default can be asked for by path") {
  CHECK(profile_key_default("machine.memory") == "\"2 GiB\"");
  CHECK(profile_key_default("disk.format") == "\"qcow2\"");
  CHECK(profile_key_default("machine.nothing").empty());
  CHECK(profile_key_default("nothing.memory").empty());
}

TEST_CASE("nameless disks and networks get names around those that are taken") {
  const auto profile = sound(
      "[[disk]]\nsize = \"1 GiB\"\n[[disk]]\nsize = \"1 GiB\"\n"
      "[[disk]]\nname = \"disk1\"\nsize = \"1 GiB\"\n[[network]]\n[[network]]\n");
  REQUIRE(profile.disks.size() == 3);
  CHECK(profile.disks[0].name == "root");
  CHECK(profile.disks[1].name == "disk2");
  CHECK(profile.disks[2].name == "disk1");
  CHECK(profile.networks[1].name == "net1");
  CHECK_FALSE(profile.is_set("disk[0].name"));
  CHECK(profile.is_set("disk[2].name"));
}

TEST_CASE("a CD-ROM is raw, on SATA and read-only, unless told otherwise") {
  const auto profile = sound(
      "[[disk]]\nmedia = \"cdrom\"\nfile = \"a.iso\"\n"
      "[[disk]]\nmedia = \"cdrom\"\nfile = \"b.iso\"\nbus = \"scsi\"\nformat = \"qcow2\"\n");
  CHECK(profile.disks[0].format == DiskFormat::raw);
  CHECK(profile.disks[0].bus == DiskBus::sata);
  CHECK(profile.disks[0].readonly);
  CHECK(profile.disks[1].format == DiskFormat::qcow2);
  CHECK(profile.disks[1].bus == DiskBus::scsi);
}

TEST_CASE("a network that the user wrote forwards nothing by itself") {
  const auto profile = sound("[[disk]]\nsize = \"1 GiB\"\n[[network]]\n");
  CHECK(profile.networks[0].forward.empty());
}

TEST_CASE("the topology makes the count where none is given") {
  const auto profile = sound("[[disk]]\nsize = \"1 GiB\"\n[cpu]\ncores = 3\nthreads = 2\n");
  CHECK(profile.cpu.count == 6);
}

TEST_CASE("with a [guest] that ssh reaches, ready means ssh") {
  const std::string guest = "[guest.credentials]\n\"a.b\" = \"c\"\n[[disk]]\nsize = \"1 GiB\"\n";
  CHECK(sound(guest).ready.when.kind == ReadyWhen::Kind::ssh);
  CHECK(sound(guest + "[[network]]\nforward = [\"8080:80\"]\n").ready.when.kind ==
        ReadyWhen::Kind::started);
  CHECK(sound(guest + "[[network]]\nmode = \"bridge\"\nbridge = \"br0\"\n").ready.when.kind ==
        ReadyWhen::Kind::ssh);
  CHECK(sound(guest).guest.credentials == std::map<std::string, std::string>{{"a.b", "c"}});
}

TEST_CASE("network boot needs no disk, where it was asked for") {
  CHECK(test::findings("[machine]\nboot = [\"network\"]\n").empty());
  CHECK(test::findings("[machine]\nboot = [\"disk\"]\n").find("nothing to boot from") !=
        std::string::npos);
}

TEST_CASE("every value knows its place, and others that of the table around them") {
  const auto profile = sound(
      "[machine]\nmemory = \"4 GiB\"\n[[disk]]\nsize = \"1 GiB\"\n"
      "[[network]]\nforward = [\"8000-8001:80-81\", \"2223:22\"]\n");
  CHECK(profile.where("machine.memory").text() == "vm.toml:2:10");
  CHECK(profile.where("machine.tpm").text() == "vm.toml:1:1");
  CHECK(profile.where("disk[0].file").text() == "vm.toml:3:1");
  CHECK(profile.where("network[0].forward[1]").text() == "vm.toml:6:12");
  CHECK(profile.where("network[0].forward[2]").text() == "vm.toml:6:31");
  CHECK(profile.where("audio.driver").text() == "vm.toml");
  CHECK(profile.where("network[0].forward[2]").length == 9);
}
