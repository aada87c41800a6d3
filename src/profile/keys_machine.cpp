// SPDX-License-Identifier: MIT
#include "profile/ports.hpp"
#include "profile/reader.hpp"
#include "profile/sections.hpp"
#include "profile/syntax.hpp"

namespace qlaunch {

Section top_section() {
  return {
      .path = "",
      .shape = SectionShape::top,
      .meaning = "A profile is one TOML file and describes one virtual machine.",
      .keys =
          {
              {.name = "name",
               .meaning = "What the VM is called in every command.",
               .fallback_words = "the file's name without .toml",
               .example = "name = \"nixos-sway\"",
               .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
               .form = check_vm_name,
               .starter = "\"my-vm\"",
               .set = to(&Profile::name)},
              {.name = "description",
               .meaning = "A line about the VM, shown in lists.",
               .fallback = "\"\"",
               .example = "description = \"NixOS with Sway, host of nested VMs\"",
               .form = check_one_line,
               .starter = "\"\"",
               .set = to(&Profile::description)},
              {.name = "extends",
               .type = KeyType::words,
               .meaning = "Other profiles to begin with: a path relative to this file, or the name "
                          "of a profile. Tables are merged key by key and what stands later wins; "
                          "lists of tables are merged by name, tag, or name and arch.",
               .fallback_words = "none",
               .example = "extends = \"base.toml\""},
          },
      .object = [](Profile& profile) -> void* { return &profile; },
  };
}

Section machine_section() {
  return {
      .path = "machine",
      .meaning = "The board: memory, firmware, clock, and what is soldered to it.",
      .keys =
          {
              {.name = "type",
               .meaning =
                   "QEMU's machine type: `q35`, `pc`, `microvm`, or a versioned name such as "
                   "`pc-q35-7.2`.",
               .fallback = "\"q35\"",
               .example = "type = \"q35\"",
               .form = check_machine_type,
               .set = to(&Machine::type)},
              {.name = "accel",
               .type = KeyType::choice,
               .meaning = "How the guest's code runs.",
               .fallback = "\"auto\"",
               .example = "accel = \"kvm\"",
               .choices = {{"auto", int(Accel::automatic),
                            "KVM where it really works, else TCG with a warning"},
                           {"kvm", int(Accel::kvm), "KVM or an error"},
                           {"tcg", int(Accel::tcg), "emulation, slow and everywhere"}},
               .set = to(&Machine::accel)},
              {.name = "memory",
               .type = KeyType::size,
               .meaning = "The guest's memory, a whole number of MiB.",
               .fallback = "\"2 GiB\"",
               .example = "memory = \"8 GiB\"",
               .highest = 16 * std::int64_t{tib},
               .smallest = mib,
               .multiple = mib,
               .starter = "\"2 GiB\"",
               .set = to(&Machine::memory)},
              {.name = "firmware",
               .type = KeyType::choice,
               .meaning = "What the guest boots with, found through QEMU's firmware descriptors.",
               .fallback = "\"bios\"",
               .example = "firmware = \"uefi\"",
               .choices = {{"bios", int(Firmware::bios), "SeaBIOS"},
                           {"uefi", int(Firmware::uefi), "OVMF, with variables of the VM's own"},
                           {"uefi-secure", int(Firmware::uefi_secure),
                            "OVMF with Secure Boot enforced; needs q35"}},
               .starter = "\"bios\"",
               .set = to(&Machine::firmware)},
              {.name = "tpm",
               .type = KeyType::boolean,
               .meaning = "A TPM 2.0, emulated by swtpm.",
               .fallback = "false",
               .example = "tpm = true",
               .set = to(&Machine::tpm)},
              {.name = "boot",
               .type = KeyType::choices,
               .meaning = "What the firmware tries, in this order.",
               .fallback = "[\"disk\", \"cdrom\", \"network\"]",
               .example = "boot = [\"cdrom\", \"disk\"]",
               .choices = {{"disk", int(BootDevice::disk)},
                           {"cdrom", int(BootDevice::cdrom)},
                           {"network", int(BootDevice::network)}},
               .set = to(&Machine::boot)},
              {.name = "boot_menu",
               .type = KeyType::boolean,
               .meaning = "Whether the firmware offers a menu of boot devices.",
               .fallback = "false",
               .example = "boot_menu = true",
               .set = to(&Machine::boot_menu)},
              {.name = "rtc",
               .meaning =
                   "What the guest's clock shows: `utc`, `localtime` (as Windows expects), or "
                   "a date to begin with.",
               .fallback = "\"utc\"",
               .example = "rtc = \"2026-01-31T12:00:00\"",
               .pattern =
                   "^(utc|localtime|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2})?)$",
               .form = check_rtc,
               .wants = "\"utc\", \"localtime\" or a date",
               .set = to(&Machine::rtc)},
              {.name = "rtc_catchup",
               .type = KeyType::boolean,
               .meaning = "Whether clock ticks that the guest missed are delivered later "
                          "(QEMU's driftfix=slew).",
               .fallback = "false",
               .example = "rtc_catchup = true",
               .set = to(&Machine::rtc_catchup)},
              {.name = "guest_sleep",
               .type = KeyType::boolean,
               .meaning = "Whether the guest is offered suspend to memory (S3) and to disk (S4).",
               .fallback = "false",
               .example = "guest_sleep = true",
               .set = to(&Machine::guest_sleep)},
              {.name = "uuid",
               .meaning = "The machine's UUID, seen by the guest in SMBIOS.",
               .fallback_words = "derived from the name",
               .example = "uuid = \"123e4567-e89b-12d3-a456-426614174000\"",
               .pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
               .form = check_uuid,
               .set = to(&Machine::uuid)},
              {.name = "watchdog",
               .type = KeyType::choice,
               .meaning = "A watchdog device, and what happens when the guest stops feeding it.",
               .fallback = "\"none\"",
               .example = "watchdog = \"reset\"",
               .choices = {{"none", int(Watchdog::none), "no watchdog"},
                           {"reset", int(Watchdog::reset), "the guest is reset"},
                           {"shutdown", int(Watchdog::shutdown), "the guest is asked to shut down"},
                           {"poweroff", int(Watchdog::poweroff), "the power is cut"},
                           {"pause", int(Watchdog::pause), "the guest is paused"},
                           {"inject-nmi", int(Watchdog::inject_nmi), "the guest gets an NMI"}},
               .set = to(&Machine::watchdog)},
              {.name = "rng",
               .type = KeyType::boolean,
               .meaning = "A virtio source of random numbers, fed by the host.",
               .fallback = "true",
               .example = "rng = false",
               .set = to(&Machine::rng)},
              {.name = "balloon",
               .type = KeyType::boolean,
               .meaning = "A virtio balloon, by which the guest gives memory back.",
               .fallback = "true",
               .example = "balloon = false",
               .set = to(&Machine::balloon)},
              {.name = "guest_agent",
               .type = KeyType::boolean,
               .meaning = "The virtio-serial channel for qemu-guest-agent.",
               .fallback = "true",
               .example = "guest_agent = false",
               .set = to(&Machine::guest_agent)},
              {.name = "hotplug_ports",
               .type = KeyType::integer,
               .meaning = "Spare PCIe root ports on q35, each for one device plugged in later.",
               .fallback = "4",
               .example = "hotplug_ports = 8",
               .lowest = 0,
               .highest = 16,
               .set = to(&Machine::hotplug_ports)},
          },
      .object = [](Profile& profile) -> void* { return &profile.machine; },
  };
}

Section smbios_section() {
  const auto key = [](std::string_view name, std::string_view meaning, std::string_view example,
                      std::string Smbios::*member) {
    return Key{.name = name,
               .meaning = meaning,
               .fallback_words = "QEMU's own",
               .example = example,
               .form = check_one_line,
               .set = to(member)};
  };
  return {
      .path = "machine.smbios",
      .meaning = "What `dmidecode` shows in the guest (SMBIOS type 1).",
      .keys =
          {
              key("manufacturer", "The system's maker.", "manufacturer = \"Example\"",
                  &Smbios::manufacturer),
              key("product", "The product's name.", "product = \"Test rig\"", &Smbios::product),
              key("version", "The product's version.", "version = \"1.0\"", &Smbios::version),
              key("serial", "The serial number; cloud-init reads it.", "serial = \"ds=nocloud\"",
                  &Smbios::serial),
              key("sku", "The stock-keeping number.", "sku = \"A-1\"", &Smbios::sku),
              key("family", "The product's family.", "family = \"Rigs\"", &Smbios::family),
          },
      .object = [](Profile& profile) -> void* { return &profile.machine.smbios; },
  };
}

Section cpu_section() {
  const auto topology = [](std::string_view name, std::string_view meaning,
                           std::string_view example, std::optional<std::int64_t> Cpu::*member) {
    return Key{.name = name,
               .type = KeyType::integer,
               .meaning = meaning,
               .fallback_words = "as QEMU arranges `count`",
               .example = example,
               .lowest = 1,
               .highest = 255,
               .set = to(member)};
  };
  return {
      .path = "cpu",
      .meaning = "The guest's processors.",
      .keys =
          {
              {.name = "count",
               .type = KeyType::integer,
               .meaning = "How many CPUs the guest has: sockets times cores times threads.",
               .fallback = "2",
               .fallback_words = "2, or the product where sockets, cores or threads are given",
               .example = "count = 4",
               .lowest = 1,
               .highest = 255,
               .starter = "2",
               .set = to(&Cpu::count)},
              topology("sockets", "CPU sockets.", "sockets = 1", &Cpu::sockets),
              topology("cores", "Cores of each socket.", "cores = 2", &Cpu::cores),
              topology("threads", "Threads of each core.", "threads = 2", &Cpu::threads),
              {.name = "model",
               .meaning =
                   "The CPU that the guest sees: `host`, `max`, or one that "
                   "`qemu-system-x86_64 -cpu help` lists. Under TCG `host` becomes `max`, and "
                   "that is said.",
               .fallback = "\"host\"",
               .example = "model = \"EPYC\"",
               .form = check_cpu_model,
               .set = to(&Cpu::model)},
              {.name = "features",
               .type = KeyType::strings,
               .meaning = "CPU features to add (+) or to take away (-).",
               .fallback = "[]",
               .example = "features = [\"+vmx\", \"-pcid\"]",
               .pattern = "^[+-][A-Za-z0-9._-]+$",
               .form = check_cpu_feature,
               .set = to(&Cpu::features)},
              {.name = "nested",
               .type = KeyType::boolean,
               .meaning = "Whether the guest can run VMs of its own: adds +vmx or +svm, whichever "
                          "this host has, and checks that the host allows it.",
               .fallback = "false",
               .example = "nested = true",
               .set = to(&Cpu::nested)},
              {.name = "hide_kvm",
               .type = KeyType::boolean,
               .meaning = "Whether the guest is kept from seeing that it runs under KVM.",
               .fallback = "false",
               .example = "hide_kvm = true",
               .set = to(&Cpu::hide_kvm)},
          },
      .object = [](Profile& profile) -> void* { return &profile.cpu; },
  };
}

}  // namespace qlaunch
