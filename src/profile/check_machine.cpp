// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "profile/check.hpp"

#include <algorithm>
#include <map>

namespace qlaunch {
namespace {

bool is_q35(const std::string& type) {
  return type == "q35" || type.starts_with("pc-q35");
}

void check_firmware(Checker& checker) {
  const auto& machine = checker.profile().machine;
  if (machine.firmware == Firmware::uefi_secure && !is_q35(machine.type) &&
      machine.type != "microvm")
    checker.error(
        "machine.firmware",
        "`uefi-secure` needs a q35 machine, and this one is " + in_backticks(machine.type),
        "write type = \"q35\": Secure Boot rests on its system management mode");
  if (machine.hotplug_ports > 0 && checker.is_set("machine.hotplug_ports") && !is_q35(machine.type))
    checker.error(
        "machine.hotplug_ports",
        "only a q35 machine has PCIe root ports, and this one is " + in_backticks(machine.type),
        "leave the key out, or write type = \"q35\"");
}

/// microvm has neither PCI nor ACPI devices: only what speaks virtio-mmio.
void check_microvm(Checker& checker) {
  const auto& profile = checker.profile();
  const auto& machine = profile.machine;
  if (machine.type != "microvm") return;
  const auto lacks = [&](const std::string& path, const std::string& what, std::string help) {
    checker.error(path, "a microvm has no " + what, std::move(help));
  };
  const std::string take_q35 = "write type = \"q35\", or leave this out";
  if (machine.firmware != Firmware::bios)
    lacks("machine.firmware", "UEFI firmware", "write firmware = \"bios\" or type = \"q35\"");
  if (machine.tpm) lacks("machine.tpm", "TPM", take_q35);
  if (machine.watchdog != Watchdog::none) lacks("machine.watchdog", "watchdog", take_q35);
  if (machine.guest_sleep) lacks("machine.guest_sleep", "sleep states", take_q35);
  for (std::size_t index = 0; index < profile.disks.size(); ++index) {
    const auto& disk = profile.disks[index];
    const auto at = indexed("disk", index);
    if (disk.media == DiskMedia::cdrom && disk.bus != DiskBus::scsi)
      lacks(at, "CD-ROM drive on SATA or USB", "write bus = \"scsi\" or type = \"q35\"");
    else if (disk.bus == DiskBus::nvme || disk.bus == DiskBus::sata || disk.bus == DiskBus::usb)
      lacks(at + ".bus", "bus of this kind", "use bus = \"virtio\" or \"scsi\"");
  }
  for (std::size_t index = 0; index < profile.networks.size(); ++index) {
    const auto& network = profile.networks[index];
    if (network.model != "virtio" && network.mode != NetworkMode::none)
      lacks(indexed("network", index) + ".model", "slot for a card of this model",
            "write model = \"virtio\"");
  }
  if (!profile.usb.empty()) lacks("usb[0]", "USB", take_q35);
  if (profile.audio.driver != "none") lacks("audio.driver", "sound", take_q35);
  if (checker.is_set("display.gpu") && profile.display.gpu != Gpu::none)
    lacks("display.gpu", "graphics card", take_q35);
  const auto type = profile.display.type;
  if (checker.is_set("display.type") && type != DisplayType::none && type != DisplayType::automatic)
    lacks("display.type", "screen", "write type = \"none\" and use the serial console");
}

void check_cpu(Checker& checker) {
  const auto& cpu = checker.profile().cpu;
  const auto product = cpu.sockets.value_or(1) * cpu.cores.value_or(1) * cpu.threads.value_or(1);
  const bool topology = cpu.sockets || cpu.cores || cpu.threads;
  const bool whole = cpu.sockets && cpu.cores && cpu.threads;
  if (topology && checker.is_set("cpu.count") &&
      (whole ? cpu.count != product : cpu.count % product != 0)) {
    std::vector<std::string> factors;
    for (const auto& [name, value] :
         {std::pair("sockets", cpu.sockets), std::pair("cores", cpu.cores),
          std::pair("threads", cpu.threads)}) {
      if (!value) continue;
      std::string unit = name;
      if (*value == 1) unit.pop_back();
      factors.push_back(std::to_string(*value) + ' ' + unit);
    }
    checker.error("cpu.count",
                  std::to_string(cpu.count) + " CPUs cannot be made of " + enumerate(factors),
                  "leave `count` out, or make it " + std::string(whole ? "" : "a multiple of ") +
                      std::to_string(product));
  } else if (product > 255) {
    checker.error(cpu.sockets ? "cpu.sockets" : "cpu.cores",
                  "the topology makes " + std::to_string(product) + " CPUs",
                  "at most 255 are possible");
  }

  std::map<std::string, std::size_t> seen;
  for (std::size_t index = 0; index < cpu.features.size(); ++index) {
    const auto& feature = cpu.features[index];
    const auto at = indexed("cpu.features", index);
    const auto [first, fresh] = seen.emplace(feature.substr(1), index);
    if (!fresh) {
      const bool same = cpu.features[first->second] == feature;
      checker.clash(at,
                    same ? in_backticks(feature) + " stands twice in `features`"
                         : in_backticks(feature) + " contradicts " +
                               in_backticks(cpu.features[first->second]),
                    indexed("cpu.features", first->second), "first here", "remove one of the two");
    }
    if (cpu.nested && (feature == "-vmx" || feature == "-svm"))
      checker.clash(at, in_backticks(feature) + " takes away what `nested` needs", "cpu.nested",
                    "asked for here", "remove one of the two");
  }
}

void check_kernel(Checker& checker) {
  const auto& kernel = checker.profile().kernel;
  if (!kernel.bootspec.empty()) {
    for (const std::string key : {"image", "initrd", "cmdline"}) {
      if (checker.is_set("kernel." + key))
        checker.clash("kernel." + key, in_backticks(key) + " stands beside `bootspec`",
                      "kernel.bootspec", "which says it already", "remove one of the two");
    }
    return;
  }
  if (checker.is_set("kernel.image")) return;
  for (const auto& [key, value] :
       {std::pair("initrd", kernel.initrd), std::pair("cmdline", kernel.cmdline)}) {
    if (value.empty()) continue;
    checker.error("kernel." + std::string(key), in_backticks(key) + " without a kernel",
                  "add the kernel: image = \"bzImage\"; a disk's own boot loader has its own " +
                      std::string(key));
  }
}

}  // namespace

void check_machine(Checker& checker) {
  check_firmware(checker);
  check_microvm(checker);
  check_cpu(checker);
  check_kernel(checker);

  if (checker.profile().machine.boot.empty())
    checker.error("machine.boot", "`boot` names nothing to boot from",
                  "name \"disk\", \"cdrom\" or \"network\", or leave the key out");
}

void check_bootable(Checker& checker) {
  const auto& profile = checker.profile();
  const auto& boot = profile.machine.boot;
  const bool network_boot = checker.is_set("machine.boot") &&
                            std::find(boot.begin(), boot.end(), BootDevice::network) != boot.end();
  // Arguments of the user's own may bring anything.
  if (profile.disks.empty() && !checker.is_set("kernel.image") &&
      !checker.is_set("kernel.bootspec") && !network_boot && profile.qemu.args.empty())
    checker.warning("", "there is nothing to boot from: no disk, no kernel",
                    "add a [[disk]], or [kernel] image, or boot = [\"network\"] in [machine]");
}

}  // namespace qlaunch
