// SPDX-License-Identifier: MIT
// Disks of every kind as a real Linux finds them, and where its writes go.
#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"

#include <map>

#include <doctest/doctest.h>

using micro::Guest;
using test::eventually;
using test::Home;

namespace {

// Each kind of disk keeps its serial number elsewhere.
constexpr auto list_disks = R"(
for disk in /sys/block/*; do
  serial=
  for file in $disk/serial $disk/device/serial; do
    [ -e $file ] && serial=$(cat $file)
  done
  [ -e $disk/device/vpd_pg80 ] && serial=$(tail -c +5 $disk/device/vpd_pg80)
  folder=$(readlink -f $disk/device)
  while [ -z "$serial" ] && [ "$folder" != /sys ] && [ -n "$folder" ]; do
    [ -e $folder/serial ] && serial=$(cat $folder/serial)
    folder=${folder%/*}
  done
  echo $serial ${disk##*/} $(cat $disk/size) $(cat $disk/ro)
done)";

struct SeenDisk {
  std::string device;
  std::string mebibytes;
  bool readonly = false;
};

/// By serial number.
std::map<std::string, SeenDisk> disks_of(const Guest& guest) {
  std::map<std::string, SeenDisk> out;
  for (const auto& line : qlaunch::split(guest.ssh(list_disks).out, '\n')) {
    const auto words = qlaunch::split(line, ' ');
    if (words.size() != 4) continue;
    const auto sectors = std::strtoull(words[2].c_str(), nullptr, 10);
    out[words[0]] = {"/dev/" + words[1], std::to_string(sectors / 2048), words[3] == "1"};
  }
  return out;
}

std::string disk(const std::string& bus, const std::string& size, const std::string& more = "") {
  return "[[disk]]\nname = \"the-" + bus + "\"\nbus = \"" + bus + "\"\nsize = \"" + size +
         " MiB\"\n" + more;
}

/// The first bytes of a device, past the guest's page cache.
std::string first_bytes(const Guest& guest, const std::string& device) {
  return guest.say("echo 3 > /proc/sys/vm/drop_caches; head -c 9 " + device + " | tr '\\0' '.'");
}

void write_bytes(const Guest& guest, const std::string& device, const std::string& text) {
  guest.say("printf " + text + " | dd of=" + device + " conv=notrunc,fsync 2>/dev/null");
}

}  // namespace

TEST_CASE("a disk on every bus is there, with its size and its name as its serial number") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "buses",
                    {.body = disk("virtio", "4") + disk("scsi", "5") + disk("nvme", "6") +
                             disk("sata", "7") + disk("usb", "8") +
                             "[[disk]]\nname = \"four-and-twenty-letters\"\nsize = \"9 MiB\"\n",
                     .words = "load=ahci,sd_mod",
                     .ready = "serial:micro: ready"});
  // Linux looks at some of them while it is running already.
  CHECK(eventually([&] { return disks_of(guest).size() >= 6; }, std::chrono::seconds(20)));
  auto seen = disks_of(guest);
  const std::map<std::string, std::string> expected{
      {"virtio", "4"}, {"scsi", "5"}, {"nvme", "6"}, {"sata", "7"}, {"usb", "8"}};
  CHECK(seen["four-and-twenty-lett"].mebibytes == "9");
  std::string writes;
  for (const auto& each : expected) {
    const auto& bus = each.first;
    const auto found = seen.find("the-" + bus);
    CHECK_MESSAGE(found != seen.end(), bus << "\n" << guest.ssh(list_disks).out);
    if (found == seen.end()) continue;
    CHECK_MESSAGE(found->second.mebibytes == each.second, bus);
    CHECK_FALSE_MESSAGE(found->second.readonly, bus);
    writes += "printf on-" + bus + " | dd of=" + found->second.device +
              " conv=notrunc,fsync 2>/dev/null || exit 1; ";
  }
  guest.say(writes);
  guest.shut_down();
  // Each write is in the file that is said to be this disk's.
  for (const auto& each : expected) {
    const auto& bus = each.first;
    const auto path = guest.get("disks.the-" + bus + ".path");
    const auto raw = home.file(bus + ".raw");
    CHECK(qlaunch::run_and_capture({"qemu-img", "convert", "-O", "raw", path, raw}).ok());
    CHECK_MESSAGE(qlaunch::read_file(raw).starts_with("on-" + bus), path);
  }
}

TEST_CASE("an ephemeral disk forgets, a plain one keeps, a read-only one refuses") {
  if (micro::skipped()) return;
  Home home;
  home.write("brief.raw", std::string(std::size_t{2} << 20, 'b'));
  home.write("fixed.raw", std::string(std::size_t{3} << 20, 'f'));
  const auto body =
      "[[disk]]\nname = \"kept\"\nserial = \"kept\"\nsize = \"1 MiB\"\n"
      "[[disk]]\nname = \"brief\"\nserial = \"brief\"\nfile = \"brief.raw\"\n"
      "format = \"raw\"\nephemeral = true\n"
      "[[disk]]\nname = \"fixed\"\nserial = \"fixed\"\nfile = \"fixed.raw\"\n"
      "format = \"raw\"\nreadonly = true\n";
  const Guest guest(home, "writes", {.body = body, .ready = "serial:micro: ready"});
  auto seen = disks_of(guest);
  REQUIRE(seen.size() == 3);
  CHECK(seen["fixed"].readonly);
  CHECK_FALSE(seen["brief"].readonly);
  CHECK(first_bytes(guest, seen["kept"].device) == ".........");
  CHECK(first_bytes(guest, seen["brief"].device) == "bbbbbbbbb");
  CHECK(first_bytes(guest, seen["fixed"].device) == "fffffffff");

  write_bytes(guest, seen["kept"].device, "remember!");
  write_bytes(guest, seen["brief"].device, "forget-it");
  CHECK(first_bytes(guest, seen["brief"].device) == "forget-it");
  CHECK(guest.ssh("printf spoilt | dd of=" + seen["fixed"].device + " conv=notrunc,fsync").code !=
        0);
  guest.shut_down();

  REQUIRE(guest.up().code == 0);
  seen = disks_of(guest);
  REQUIRE(seen.size() == 3);
  CHECK(first_bytes(guest, seen["kept"].device) == "remember!");
  CHECK(first_bytes(guest, seen["brief"].device) == "bbbbbbbbb");
  guest.shut_down();
  CHECK(qlaunch::read_file(home.file("brief.raw")) == std::string(std::size_t{2} << 20, 'b'));
  CHECK(qlaunch::read_file(home.file("fixed.raw")) == std::string(std::size_t{3} << 20, 'f'));
}
