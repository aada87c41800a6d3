// SPDX-License-Identifier: MIT
// What src/host finds out from the real QEMU, and from programs that only say they are.
#include "host/facts.hpp"

#include "fixture.hpp"
#include "host/doctor.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/mount.h>

using namespace qlaunch;
using test::contains;
using test::CountedQemu;
using test::error_of;
using test::fake;
using test::Folder;
using test::has_qemu;
using test::roots_in;
using test::Variable;

TEST_CASE("QEMU tells what it can do") {
  if (!has_qemu()) return;
  const Folder folder;
  const auto facts = qemu_facts("qemu-system-x86_64", roots_in(folder));
  CHECK(facts.path == find_program("qemu-system-x86_64"));
  const auto version = run_and_capture({facts.path, "--version"}).out;
  CHECK(contains(version, "version " + facts.version));
  CHECK(std::regex_match(facts.version, std::regex("\\d+\\.\\d+\\.\\d+")));
  REQUIRE(facts.machine_aliases.contains("q35"));
  CHECK(facts.machine_aliases.at("q35").starts_with("pc-q35-"));
  CHECK(facts.machines.contains("q35"));
  CHECK(facts.machines.contains(facts.machine_aliases.at("q35")));
  for (const char* device : {"virtio-blk-pci", "virtio-net-pci", "pcie-root-port", "isa-serial"}) {
    CHECK(facts.devices.contains(device));
  }
  CHECK(std::none_of(facts.devices.begin(), facts.devices.end(),
                     [](const auto& name) { return name.ends_with("-x86_64-cpu"); }));
  for (const char* model : {"max", "host", "qemu64", "EPYC"})
    CHECK(facts.cpu_models.contains(model));
  CHECK(facts.displays.contains("none"));
  CHECK(facts.audio_drivers.contains("none"));
  for (const auto* words : {&facts.displays, &facts.audio_drivers}) {
    CHECK(std::all_of(words->begin(), words->end(), [](const std::string& word) {
      return std::regex_match(word, std::regex("[a-z0-9-]+"));
    }));
  }
}

TEST_CASE("each display that is claimed can be started, as far as it needs no screen") {
  if (!has_qemu()) return;
  const Folder folder;
  const auto facts = qemu_facts("qemu-system-x86_64", roots_in(folder));
  const Variable no_x("DISPLAY", std::nullopt), no_wayland("WAYLAND_DISPLAY", std::nullopt);
  for (const std::string display : {"gtk", "sdl", "cocoa"}) {
    CAPTURE(display);
    SpawnOptions options;
    options.argv = {facts.path, "-machine", "none", "-nodefaults", "-display", display, "-S"};
    options.environment = {"SDL_VIDEODRIVER=dummy"};
    std::string said;
    try {
      said = run_and_capture(std::move(options), std::chrono::milliseconds(500), 10000).err;
    } catch (const TimeoutError&) {
      // It runs: sdl with its dummy.
    }
    const bool missing = contains(said, "is not available") || contains(said, "does not accept");
    CHECK(facts.displays.contains(display) == !missing);
  }
}

TEST_CASE("a module that is not installed is not claimed") {
  if (!has_qemu()) return;
  const Folder folder;
  const auto before = qemu_facts("qemu-system-x86_64", roots_in(folder));
  std::string module;
  for (const char* place : {"/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib/qemu", "/usr/lib64/qemu"}) {
    const std::string file = std::string(place) + "/ui-gtk.so";
    if (std::filesystem::exists(file)) module = file;
  }
  if (module.empty() || ::geteuid() != 0) {
    test::skip("needs root, and QEMU's gtk module");
    return;
  }
  REQUIRE(before.displays.contains("gtk"));
  const int code = test::in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("/dev/null", module.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return 2;
    }
    auto roots = roots_in(folder);
    roots.cache = folder / "another";
    const auto after = qemu_facts("qemu-system-x86_64", roots);
    return !after.displays.contains("gtk") && after.displays.contains("none") ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("what was found out is remembered, until it may be different") {
  if (!has_qemu()) return;
  const Folder folder;
  const CountedQemu qemu(folder);
  const auto roots = roots_in(folder);
  FactsRequest request;
  request.qemu_binary = qemu.path();
  const auto first = gather_facts(request, roots);
  const auto cold = qemu.starts();
  CHECK(cold >= 1);
  const auto again = gather_facts(request, roots);
  CHECK(qemu.starts() == cold);
  CHECK(again.kvm_works == first.kvm_works);
  CHECK(again.kvm_problem == first.kvm_problem);
  CHECK(again.qemu.version == first.qemu.version);
  CHECK(again.qemu.machine_aliases == first.qemu.machine_aliases);
  CHECK(again.qemu.machines == first.qemu.machines);
  CHECK(again.qemu.devices == first.qemu.devices);
  CHECK(again.qemu.displays == first.qemu.displays);
  CHECK(again.qemu.audio_drivers == first.qemu.audio_drivers);
  CHECK(again.qemu.cpu_models == first.qemu.cpu_models);
  CHECK(again.qemu.firmware_dirs == first.qemu.firmware_dirs);
  CHECK(again.qemu.spice == first.qemu.spice);
  CHECK(again.qemu.kvm == first.qemu.kvm);

  SUBCASE("the cache is broken") {
    for (const auto& entry : std::filesystem::directory_iterator(folder / "cache/probe")) {
      write_file_atomic(entry.path(), "{\"format\":1,", 0600, Durability::quick);
    }
    CHECK(gather_facts(request, roots).qemu.devices == first.qemu.devices);
    CHECK(qemu.starts() == 2 * cold);
  }
  SUBCASE("another folder of modules is named") {
    const Variable modules("QEMU_MODULE_DIR", folder.path());
    gather_facts(request, roots);
    CHECK(qemu.starts() > cold);
  }
  SUBCASE("the binary is another one") {
    const CountedQemu replaced(folder);
    gather_facts(request, roots);
    CHECK(replaced.starts() == 2 * cold);
  }
  SUBCASE("there is nowhere to remember") {
    auto nowhere = roots;
    nowhere.cache = "/proc/nowhere";
    CHECK(gather_facts(request, nowhere).qemu.devices == first.qemu.devices);
    CHECK(qemu.starts() == 2 * cold);
  }
}

TEST_CASE("only what a profile needs is found out") {
  if (!has_qemu()) return;
  const Folder folder;
  const CountedQemu qemu(folder);
  Profile profile;
  profile.qemu.binary = qemu.path();
  profile.machine.accel = Accel::tcg;
  const auto facts = gather_facts(profile, roots_in(folder));
  CHECK(facts.kvm_problem.empty());  // not asked
  CHECK_FALSE(facts.kvm_works);
  CHECK(facts.firmware.empty());
  CHECK(facts.virtiofsd.empty());
  CHECK(facts.swtpm.empty());
  CHECK(facts.bridge_helper.empty());
  CHECK(facts.ssh_public_keys.empty());
  CHECK(facts.cpus >= 1);
  CHECK(facts.memory > 64 << 20);
  CHECK(facts.uid == ::geteuid());
  REQUIRE(facts.file);
  CHECK(facts.file("/").kind == FileFact::Kind::folder);
  REQUIRE(facts.read);
  CHECK(facts.read("/nonexistent") == std::nullopt);

  profile.machine.firmware = Firmware::uefi;
  profile.machine.tpm = true;
  profile.networks.resize(1);
  profile.networks[0].mode = NetworkMode::bridge;
  profile.shares.resize(1);
  const auto request = facts_request(profile);
  CHECK(request.firmware);
  CHECK(request.swtpm);
  CHECK(request.bridge);
  CHECK(request.virtiofsd);
  CHECK_FALSE(request.ssh_keys);
  profile.guest.present = true;
  CHECK(facts_request(profile).ssh_keys);
}

TEST_CASE("public keys are those that a guest can be told to accept") {
  if (!has_qemu()) return;
  const Folder folder;
  folder.folder(".ssh");
  folder.write(".ssh/b.pub", "ssh-ed25519 AAAA b\n");
  folder.write(".ssh/a.pub", "# old\necdsa-sha2-nistp256 AAAA a\n\nssh-ed25519 AAAA b\n");
  folder.write(".ssh/a-cert.pub", "ssh-ed25519-cert-v01@openssh.com AAAA\n");
  folder.write(".ssh/id", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
  const Variable home("HOME", folder.path());
  FactsRequest request;
  request.accel = Accel::tcg;
  request.ssh_keys = true;
  CHECK(gather_facts(request, roots_in(folder)).ssh_public_keys ==
        std::vector<std::string>{"ecdsa-sha2-nistp256 AAAA a", "ssh-ed25519 AAAA b"});
}

TEST_CASE("what is not QEMU is told apart, and what to do") {
  const Folder folder;
  const auto roots = roots_in(folder);
  const auto probe = [&](const std::string& binary) {
    return error_of([&] { qemu_facts(binary, roots); });
  };
  CHECK(probe("no-such-qemu") == "QEMU (`no-such-qemu`) is not found in PATH");
  CHECK(probe("/no/such/qemu") == "QEMU (`/no/such/qemu`) is not found");
  CHECK(probe("/etc/passwd") == "QEMU (`/etc/passwd`) is not executable");
  CHECK(probe("/usr") == "QEMU (`/usr`) is a folder, not a program");
  CHECK(probe("/bin/true") ==
        "`/bin/true` is not QEMU, or a broken one: it ended with exit code 0 when asked what it "
        "can do");
  const auto text = folder.write("text", "words\n", 0755);
  CHECK(contains(probe(text), "is not a program that this machine can run"));
  try {
    qemu_facts("no-such-qemu", roots);
  } catch (const Error& error) {
    REQUIRE(error.diagnostics()[0].help.size() == 1);
    CHECK(error.diagnostics()[0].help[0] == "install it: " + install_command("qemu"));
  }
  const auto broken =
      fake(folder, "echo \"$0: error while loading shared libraries: libx.so.1\" >&2; exit 127");
  try {
    qemu_facts(broken, roots);
    FAIL("taken for QEMU");
  } catch (const Error& error) {
    CHECK(contains(error.what(), "exit code 127"));
    CHECK(contains(error.diagnostics()[0].help[0], "error while loading shared libraries: libx"));
  }
  // What does not answer like QEMU is not remembered as anything.
  CHECK_FALSE(std::filesystem::exists(folder / "cache/probe"));
}
