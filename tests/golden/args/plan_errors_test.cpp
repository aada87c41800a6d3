// SPDX-License-Identifier: MIT
// What stands in the way of a plan on a host, with the whole text of the message.
#include "core/units.hpp"
#include "facts.hpp"
#include "golden.hpp"

#include <doctest/doctest.h>

using test::check_error;
using test::usual_case;

namespace {

test::Case with_files(const test::Files& more) {
  auto files = test::usual_files();
  for (const auto& [path, fact] : more) files[path] = fact;
  auto out = usual_case();
  out.facts = test::usual_facts(files);
  return out;
}

}  // namespace

TEST_CASE("plan error: a disk that does not exist and has no size") {
  check_error("disk-missing", usual_case());
}
TEST_CASE("plan error: disks, bases, ISO images and folders that are missing") {
  check_error("files-missing", usual_case());
}
TEST_CASE("plan error: the file's format is not the profile's") {
  check_error("format", with_files({{"/profiles/a.qcow2", test::raw_file(qlaunch::gib)},
                                    {"/profiles/b.raw", test::qcow2_file(qlaunch::gib)}}));
}
TEST_CASE("plan error: sizes that do not fit what exists") {
  check_error("size", with_files({{"/profiles/a.qcow2", test::qcow2_file(8 * qlaunch::gib)},
                                  {"/profiles/b.qcow2", test::qcow2_file(8 * qlaunch::gib)}}));
}
TEST_CASE("plan error: files that may not be read or written") {
  auto locked = test::qcow2_file(qlaunch::gib);
  locked.writable = false;
  auto secret = locked;
  secret.readable = false;
  check_error("access", with_files({{"/profiles/a.qcow2", locked}, {"/profiles/b.qcow2", secret}}));
}
TEST_CASE("plan error: kernel and initrd missing") {
  check_error("kernel", usual_case());
}
TEST_CASE("plan error: shared folders that are missing or files") {
  check_error("share", usual_case());
}
TEST_CASE("plan error: an unknown machine type") {
  check_error("machine-type", usual_case());
}
TEST_CASE("plan error: a machine type that cannot be laid out") {
  check_error("machine-type-isapc", usual_case());
}
TEST_CASE("plan error: a pinned machine type that this QEMU lacks") {
  auto a_case = usual_case();
  a_case.input.machine_type = "pc-q35-9.2";
  check_error("machine-type-pinned", a_case);
}
TEST_CASE("plan error: an unknown CPU model") {
  check_error("cpu-model", usual_case());
}
TEST_CASE("plan error: host as CPU model without KVM") {
  auto a_case = usual_case();
  a_case.facts.kvm_works = false;
  a_case.facts.kvm_problem = "/dev/kvm does not exist";
  check_error("cpu-host", a_case);
}
TEST_CASE("plan error: KVM wanted and not working") {
  auto a_case = usual_case();
  a_case.facts.kvm_works = false;
  a_case.facts.kvm_problem = "QEMU stopped: error: failed to set MSR 0x345 to 0x20";
  check_error("kvm", a_case);
}
TEST_CASE("plan error: nested where the host does not allow it") {
  auto a_case = usual_case();
  a_case.facts.kvm_nested = false;
  check_error("nested-host", a_case);
}
TEST_CASE("plan error: nested with an emulated CPU that cannot") {
  auto a_case = usual_case();
  a_case.facts.kvm_works = false;
  check_error("nested-model", a_case);
}
TEST_CASE("plan error: nested with the feature taken away") {
  check_error("nested-feature", usual_case());
}
TEST_CASE("plan error: more CPUs and memory than the host has") {
  check_error("too-much", usual_case());
}
TEST_CASE("plan error: devices that this QEMU was built without") {
  auto a_case = usual_case();
  a_case.facts.qemu.devices.erase("qxl-vga");
  a_case.facts.qemu.spice = false;
  check_error("qxl", a_case);
}
TEST_CASE("plan error: a display that is not installed") {
  auto a_case = usual_case();
  a_case.facts.qemu.displays = {"none", "curses"};
  check_error("display-gtk", a_case);
}
TEST_CASE("plan error: a window without a desktop") {
  auto a_case = usual_case();
  a_case.facts.desktop = false;
  check_error("display-desktop", a_case);
}
TEST_CASE("plan error: an audio driver that is not installed") {
  check_error("audio", usual_case());
}
TEST_CASE("plan error: no firmware") {
  auto a_case = usual_case();
  a_case.facts.firmware.clear();
  check_error("firmware", a_case);
}
TEST_CASE("plan error: no firmware with Secure Boot") {
  auto a_case = usual_case();
  a_case.facts.firmware.erase(a_case.facts.firmware.begin());
  check_error("firmware-secure", a_case);
}
TEST_CASE("plan error: no virtiofsd, no swtpm, no bridge helper") {
  auto a_case = usual_case();
  a_case.facts.virtiofsd.clear();
  a_case.facts.swtpm.clear();
  a_case.facts.bridge_helper.clear();
  check_error("helpers", a_case);
}
TEST_CASE("plan error: QEMU's own virtiofsd for an ordinary user without user namespaces") {
  auto a_case = usual_case();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = qlaunch::VirtiofsdKind::c;
  a_case.facts.namespace_problem = "cannot make a user namespace: No space left on device";
  check_error("namespaces", a_case);
}
TEST_CASE("plan error: a socket path that is too long") {
  auto a_case = usual_case();
  a_case.input.paths.runtime = "/run/" + std::string(100, 'r');
  check_error("socket-path", a_case);
}
TEST_CASE("plan error: swtpm and a path with a comma") {
  auto a_case = usual_case();
  a_case.input.paths.data = "/home/a,b/vm";
  check_error("tpm-comma", a_case);
}
TEST_CASE("plan error: a path that is not UTF-8") {
  auto a_case = usual_case();
  a_case.input.paths.data = "/home/\xff/vm";
  check_error("not-utf8", a_case);
}
TEST_CASE("plan error: a bootspec that is none") {
  auto a_case = with_files({{"/profiles/result", test::folder()}});
  a_case.facts.read = [](const std::string&) { return std::optional<std::string>("{}"); };
  check_error("bootspec", a_case);
}
TEST_CASE("plan error: an address that everyone reaches") {
  check_error("listen", usual_case());
}
