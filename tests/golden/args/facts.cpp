// SPDX-License-Identifier: MIT
#include "facts.hpp"

#include "core/units.hpp"

#include <utility>

namespace test {

using qlaunch::FileFact;
using qlaunch::FirmwareDescriptor;
using qlaunch::HostFacts;

namespace {

FirmwareDescriptor ovmf(const std::string& file, const std::string& code, const std::string& vars,
                        std::vector<std::string> machines, std::set<std::string> features) {
  FirmwareDescriptor out;
  out.file = "/usr/share/qemu/firmware/" + file;
  out.uefi = true;
  out.mode = "split";
  out.code = "/usr/share/OVMF/" + code;
  out.code_format = "raw";
  out.vars_template = "/usr/share/OVMF/" + vars;
  out.vars_format = "raw";
  out.targets = {{"x86_64", std::move(machines)}};
  out.features = std::move(features);
  return out;
}

}  // namespace

FileFact folder() {
  return {FileFact::Kind::folder, true, true, 0, "", std::nullopt};
}

FileFact raw_file(std::uint64_t size) {
  return {FileFact::Kind::file, true, true, size, "raw", std::nullopt};
}

FileFact qcow2_file(std::uint64_t virtual_size) {
  return {FileFact::Kind::file, true, true, 200 * qlaunch::kib, "qcow2", virtual_size};
}

Files usual_files() {
  Files files;
  for (const std::string path : {"/profiles", "/home/user", "/home/user/workspace",
                                 "/home/user/scratch", "/nix/store", "/profiles/shared"})
    files[path] = folder();
  for (const std::string path :
       {"/profiles/bzImage", "/profiles/initrd", "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"})
    files[path] = raw_file(4 * qlaunch::mib);
  files["/home/user/Downloads/nixos-minimal-x86_64-linux.iso"] = raw_file(qlaunch::gib);
  files["/profiles/cd.iso"] = raw_file(300 * qlaunch::mib);
  files["/profiles/data.raw"] = raw_file(qlaunch::gib);
  files["/profiles/base.qcow2"] = qcow2_file(10 * qlaunch::gib);
  return files;
}

HostFacts usual_facts(Files files) {
  HostFacts facts;
  auto& qemu = facts.qemu;
  qemu.path = "/usr/bin/qemu-system-x86_64";
  qemu.version = "7.2.22";
  qemu.machine_aliases = {{"q35", "pc-q35-7.2"}, {"pc", "pc-i440fx-7.2"}};
  qemu.machines = {
      "q35",           "pc",      "pc-q35-7.2", "pc-q35-7.1", "pc-q35-6.2", "pc-i440fx-7.2",
      "pc-i440fx-7.1", "microvm", "isapc",      "none"};
  qemu.devices = {"AC97",
                  "VGA",
                  "hda-duplex",
                  "i6300esb",
                  "ich9-ahci",
                  "ich9-intel-hda",
                  "ide-cd",
                  "ide-hd",
                  "nvme",
                  "pcie-root-port",
                  "pvpanic",
                  "e1000",
                  "e1000e",
                  "rtl8139",
                  "qemu-xhci",
                  "qxl-vga",
                  "scsi-cd",
                  "scsi-hd",
                  "tpm-crb",
                  "tpm-tis",
                  "usb-bot",
                  "usb-host",
                  "usb-kbd",
                  "usb-mouse",
                  "usb-storage",
                  "usb-tablet",
                  "vhost-user-fs-device",
                  "vhost-user-fs-pci",
                  "virtconsole",
                  "virtio-9p-device",
                  "virtio-9p-pci",
                  "virtio-balloon-device",
                  "virtio-balloon-pci",
                  "virtio-blk-device",
                  "virtio-blk-pci",
                  "virtio-net-device",
                  "virtio-net-pci",
                  "virtio-rng-device",
                  "virtio-rng-pci",
                  "virtio-scsi-device",
                  "virtio-scsi-pci",
                  "virtio-serial-device",
                  "virtio-serial-pci",
                  "virtio-vga",
                  "virtio-vga-gl",
                  "virtserialport"};
  qemu.displays = {"none", "gtk", "sdl", "egl-headless", "curses", "spice-app", "dbus"};
  qemu.audio_drivers = {"none", "alsa", "dbus", "jack", "oss", "pa", "sdl", "spice", "wav"};
  qemu.cpu_models = {"host",          "max",       "base",       "qemu64",  "kvm64",
                     "EPYC",          "EPYC-Rome", "Opteron_G5", "Haswell", "Skylake-Client",
                     "Skylake-Server"};
  qemu.spice = true;
  qemu.kvm = true;
  facts.kvm_works = true;
  facts.kvm_nested = true;
  facts.cpu_vendor = HostFacts::CpuVendor::intel;
  facts.cpus = 8;
  facts.memory = 16 * qlaunch::gib;
  facts.firmware = {
      ovmf("40-edk2-x86_64-secure-enrolled.json", "OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd",
           {"pc-q35-*"}, {"acpi-s3", "enrolled-keys", "requires-smm", "secure-boot"}),
      ovmf("50-edk2-x86_64-secure.json", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd", {"pc-q35-*"},
           {"acpi-s3", "requires-smm", "secure-boot"}),
      ovmf("60-edk2-x86_64.json", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", {"pc-i440fx-*", "pc-q35-*"},
           {"acpi-s3"})};
  facts.virtiofsd = "/usr/libexec/virtiofsd";
  facts.virtiofsd_kind = qlaunch::VirtiofsdKind::rust;
  facts.swtpm = "/usr/bin/swtpm";
  facts.bridge_helper = "/usr/lib/qemu/qemu-bridge-helper";
  facts.qemu_img = "/usr/bin/qemu-img";
  facts.desktop = true;
  facts.machine_id = "0123456789abcdef0123456789abcdef";
  facts.uid = 1000;
  facts.gid = 1000;
  facts.user = "user";
  facts.home = "/home/user";
  facts.file = [files = std::move(files)](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? FileFact{} : found->second;
  };
  return facts;
}

}  // namespace test
