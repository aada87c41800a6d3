// SPDX-License-Identifier: MIT
// Command lines of profiles that use what the shipped ones do not, among them hostile values.
#include "core/units.hpp"
#include "facts.hpp"
#include "golden.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using qlaunch::HostFacts;
using qlaunch::VirtiofsdKind;
using test::check_args;
using test::usual_case;

namespace {

test::Case with_settings(std::vector<std::string> settings) {
  auto out = usual_case();
  out.settings = std::move(settings);
  return out;
}

test::Case as_root() {
  auto out = usual_case();
  out.facts.uid = out.facts.gid = 0;
  return out;
}

test::Case emulated() {
  auto out = usual_case();
  out.facts.kvm_works = false;
  out.facts.kvm_problem = "it was tried and failed";
  return out;
}

}  // namespace

TEST_CASE("args: three lines are a VM") {
  check_args("three-lines", usual_case(), "three-lines");
}
TEST_CASE("args: every disk bus, cache mode and kind of drive") {
  check_args("buses", usual_case(), "buses");
}
TEST_CASE("args: the pc board") {
  check_args("pc", usual_case(), "pc");
}
TEST_CASE("args: microvm") {
  check_args("microvm", usual_case(), "microvm");
}
TEST_CASE("args: Secure Boot and TPM") {
  check_args("secure", usual_case(), "secure");
}

TEST_CASE("args: Secure Boot and TPM, with sockets by path and a pinned machine type") {
  auto a_case = usual_case();
  a_case.input.sockets = qlaunch::SocketStyle::path;
  a_case.input.machine_type = "pc-q35-7.1";
  check_args("secure", a_case, "secure-path");
}

TEST_CASE("args: networks without chosen ports") {
  check_args("networks", usual_case(), "networks");
}
TEST_CASE("args: networks with chosen ports") {
  auto a_case = usual_case();
  a_case.input.auto_ports = {40001, 40002};
  check_args("networks", a_case, "networks-ports");
}
TEST_CASE("args: bridge as an ordinary user") {
  check_args("bridge", usual_case(), "bridge");
}
TEST_CASE("args: bridge as root") {
  check_args("bridge", as_root(), "bridge-root");
}

TEST_CASE("args: shares by the Rust virtiofsd that translates ids") {
  auto a_case = usual_case();
  a_case.facts.virtiofsd_translates = true;
  check_args("shares", a_case, "shares");
}
TEST_CASE("args: shares by the Rust virtiofsd as root") {
  check_args("shares", as_root(), "shares-root");
}
TEST_CASE("args: shares by the C virtiofsd") {
  auto a_case = as_root();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = VirtiofsdKind::c;
  check_args("shares", a_case, "shares-c");
}
TEST_CASE("args: shares by the C virtiofsd for an ordinary user") {
  auto a_case = usual_case();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = VirtiofsdKind::c;
  check_args("shares", a_case, "shares-c-user");
}

TEST_CASE("args: disks whose names are too long for a serial number") {
  check_args("serials", usual_case(), "serials");
}

TEST_CASE("args: display auto on a desktop") {
  check_args("display", usual_case(), "display-auto");
}
TEST_CASE("args: display auto without a desktop") {
  auto a_case = usual_case();
  a_case.facts.desktop = false;
  check_args("display", a_case, "display-auto-none");
}
TEST_CASE("args: display sdl with 3D, full screen") {
  check_args(
      "display",
      with_settings({"display.type=sdl", "display.gpu=virtio-gl", "display.fullscreen=true"}),
      "display-sdl-gl");
}
TEST_CASE("args: display spice on a private socket, with 3D and sound") {
  check_args("display",
             with_settings({"display.type=spice", "display.gpu=virtio-gl", "audio.driver=spice"}),
             "display-spice-gl");
}
TEST_CASE("args: display vnc with an address and a clipboard") {
  check_args("display",
             with_settings({"display.type=vnc", "display.listen=127.0.0.1:5907",
                            "display.clipboard=true", "display.gpu=qxl"}),
             "display-vnc");
}
TEST_CASE("args: display auto without a desktop, with 3D") {
  auto a_case = with_settings({"display.gpu=virtio-gl"});
  a_case.facts.desktop = false;
  check_args("display", a_case, "display-none-gl");
}
TEST_CASE("args: display curses with the standard card") {
  check_args("display", with_settings({"display.type=curses", "display.gpu=std"}),
             "display-curses");
}
TEST_CASE("args: no display, no card, no serial port") {
  check_args("display",
             with_settings({"display.type=none", "display.gpu=none", "serial.type=none",
                            "machine.guest_agent=false", "qemu.sandbox=false"}),
             "display-nothing");
}

TEST_CASE("args: hostile values") {
  auto files = test::usual_files();
  files["/profiles/sha,re d"] = test::folder();
  auto a_case = usual_case();
  a_case.facts = test::usual_facts(files);
  check_args("hostile", a_case, "hostile");
  a_case.facts.virtiofsd_kind = VirtiofsdKind::c;
  check_args("hostile", a_case, "hostile-c");
}

TEST_CASE("args: paths of 300 bytes") {
  const std::string folder = "/" + std::string(299, 'd');
  auto files = test::usual_files();
  files[folder] = test::folder();
  auto a_case = usual_case();
  a_case.facts = test::usual_facts(files);
  a_case.settings = {"disk.root.file=" + folder + "/" + std::string(200, 'f') + ".qcow2"};
  a_case.input.paths.data = folder;
  check_args("display", a_case, "long-paths");
}

TEST_CASE("args: SMBIOS and credentials") {
  check_args("identity", usual_case(), "identity");
}
TEST_CASE("args: watchdog, topology, USB, sound, extra arguments") {
  check_args("devices", usual_case(), "devices");
}

TEST_CASE("args: a NixOS system's boot.json") {
  auto files = test::usual_files();
  files["/profiles/result"] = test::folder();
  files["/nix/store/k/bzImage"] = test::raw_file(qlaunch::mib);
  files["/nix/store/i/initrd"] = test::raw_file(qlaunch::mib);
  auto a_case = usual_case();
  a_case.facts = test::usual_facts(files);
  a_case.facts.read = [](const std::string& path) -> std::optional<std::string> {
    if (path != "/profiles/result/boot.json") return std::nullopt;
    return R"({"org.nixos.bootspec.v1": {"kernel": "/nix/store/k/bzImage",
      "initrd": "/nix/store/i/initrd", "init": "/nix/store/s/init",
      "kernelParams": ["loglevel=4", "quiet"], "system": "x86_64-linux"}})";
  };
  check_args("bootspec", a_case, "bootspec");
}

TEST_CASE("args: an image by digest, there and missing") {
  check_args("images", usual_case(), "images-missing");
  auto files = test::usual_files();
  files["/home/user/.cache/qlaunch/images/sha256-" + std::string(64, '1') + ".qcow2"] =
      test::qcow2_file(2 * qlaunch::gib);
  auto a_case = usual_case();
  a_case.facts = test::usual_facts(files);
  check_args("images", a_case, "images");
}

TEST_CASE("args: nested on Intel, AMD, and emulated") {
  auto a_case = usual_case();
  check_args("nested", a_case, "nested-intel");
  a_case.facts.cpu_vendor = HostFacts::CpuVendor::amd;
  check_args("nested", a_case, "nested-amd");
  check_args("nested", emulated(), "nested-tcg");
}
