// SPDX-License-Identifier: MIT
#include "host/facts.hpp"
#include "scratch.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using test::Folder;

namespace {

std::string descriptor(const std::string& description) {
  return R"({"description": ")" + description + R"(", "interface-types": ["uefi"],
    "mapping": {"device": "flash",
      "executable": {"filename": "/fw/code.fd", "format": "raw"},
      "nvram-template": {"filename": "/fw/vars.fd", "format": "qcow2"}},
    "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*", "pc-i440fx-*"]}],
    "features": ["acpi-s3", "requires-smm", "secure-boot"], "tags": []})";
}

}  // namespace

TEST_CASE("a firmware descriptor is read") {
  const Folder folder;
  const auto file = folder.write("50-x.json", descriptor("a UEFI"));
  const auto found = firmware_descriptors({folder.path()});
  REQUIRE(found.size() == 1);
  const auto& firmware = found[0];
  CHECK(firmware.file == file);
  CHECK(firmware.description == "a UEFI");
  CHECK(firmware.uefi);
  CHECK(firmware.mode == "split");
  CHECK(firmware.code == "/fw/code.fd");
  CHECK(firmware.code_format == "raw");
  CHECK(firmware.vars_template == "/fw/vars.fd");
  CHECK(firmware.vars_format == "qcow2");
  REQUIRE(firmware.targets.size() == 1);
  CHECK(firmware.targets[0].architecture == "x86_64");
  CHECK(firmware.targets[0].machines == std::vector<std::string>{"pc-q35-*", "pc-i440fx-*"});
  CHECK(firmware.features == std::set<std::string>{"acpi-s3", "requires-smm", "secure-boot"});
}

TEST_CASE("flash without variables, and firmware in memory") {
  const Folder folder;
  folder.write("1.json", R"({"interface-types": ["uefi"], "mapping": {"device": "flash",
    "mode": "stateless", "executable": {"filename": "/a", "format": "raw"}}, "targets": [],
    "features": []})");
  folder.write("2.json", R"({"interface-types": ["bios"], "mapping": {"device": "memory",
    "filename": "/b"}, "targets": [], "features": []})");
  const auto found = firmware_descriptors({folder.path()});
  REQUIRE(found.size() == 2);
  CHECK(found[0].mode == "stateless");
  CHECK(found[0].vars_template.empty());
  CHECK(found[1].mode == "memory");
  CHECK(found[1].code == "/b");
  CHECK_FALSE(found[1].uefi);
}

TEST_CASE("names decide the order, folders which file of a name counts") {
  const Folder user, system, vendor;
  vendor.write("60-plain.json", descriptor("vendor 60"));
  vendor.write("50-secure.json", descriptor("vendor 50"));
  vendor.write("40-enrolled.json", descriptor("vendor 40"));
  system.write("50-secure.json", descriptor("system 50"));
  user.write("70-own.json", descriptor("user 70"));
  user.write("40-enrolled.json", "");  // hides the vendor's
  REQUIRE(::symlink("/dev/null", (user / "60-plain.json").c_str()) == 0);
  vendor.write("README", "not a descriptor");
  vendor.write(".json", "nor this");
  std::vector<std::string> notes;
  const auto found =
      firmware_descriptors({user.path(), "/nonexistent", system.path(), vendor.path()}, &notes);
  REQUIRE(found.size() == 2);
  CHECK(found[0].description == "system 50");
  CHECK(found[1].description == "user 70");
  CHECK(notes.empty());
}

TEST_CASE("what is no descriptor is passed over, and noted") {
  const Folder folder;
  for (const char* text : {"{", "[]", "null", "3", R"({"mapping": 3})",
                           R"({"interface-types": ["uefi"], "mapping": {"device": "flash"}})",
                           R"({"interface-types": [], "mapping": {"device": 1}})", "\xff\xfe"}) {
    folder.write("50-bad.json", text);
    folder.write("60-good.json", descriptor("good"));
    std::vector<std::string> notes;
    const auto found = firmware_descriptors({folder.path()}, &notes);
    REQUIRE(found.size() == 1);
    CHECK(found[0].description == "good");
    REQUIRE(notes.size() == 1);
    CHECK(notes[0] == folder / "50-bad.json" + " is not a firmware descriptor");
  }
}

TEST_CASE("the user's folder comes first, the standard ones are not named twice") {
  const test::Variable config("XDG_CONFIG_HOME", "/cfg");
  CHECK(firmware_folders({"/usr/share/qemu/firmware", "/opt/qemu/share/qemu/firmware"}) ==
        std::vector<std::string>{"/cfg/qemu/firmware", "/etc/qemu/firmware",
                                 "/usr/share/qemu/firmware", "/opt/qemu/share/qemu/firmware"});
}
