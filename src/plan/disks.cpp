// SPDX-License-Identifier: MIT
#include "plan/disks.hpp"

#include "core/quote.hpp"
#include "plan/boot_order.hpp"
#include "plan/disk_files.hpp"
#include "plan/identity.hpp"

#include <map>

namespace qlaunch::planner {

namespace {

/// Hands out places on the buses that the profile's disks share, and makes their controllers.
class Buses {
 public:
  explicit Buses(Draft& draft) : draft_(draft) {}

  /// Both name a bus in `device`; `key` is the disk's.
  void scsi(Value& device, const std::string& key) {
    if (scsi_used_ == 0) {
      draft_.device({{"driver", draft_.virtio("virtio-scsi")}, {"id", "scsi"}},
                    {draft_.profile.where(key), "one controller for every disk on the SCSI bus"},
                    key);
    }
    device["bus"] = "scsi.0";
    device["scsi-id"] = scsi_used_++;
    device["lun"] = 0;
  }

  void sata(Value& device, const std::string& key) {
    // q35 has an AHCI controller with six ports, named ide; i440fx has none.
    constexpr int ports = 6;
    const int controller = sata_used_ / ports;
    const int port = sata_used_ % ports;
    ++sata_used_;
    std::string name = "ide";
    if (controller > 0 || draft_.board == Board::pc) {
      name = "sata" + std::to_string(controller);
      if (port == 0) {
        draft_.device({{"driver", "ich9-ahci"}, {"id", name}},
                      {draft_.profile.where(key), draft_.board == Board::pc
                                                      ? "this board has no SATA of its own"
                                                      : "the board's six SATA ports are taken"},
                      key);
      }
    }
    device["bus"] = name + '.' + std::to_string(port);
  }

 private:
  Draft& draft_;
  int scsi_used_ = 0, sata_used_ = 0;
};

/// What the guest finds the disk by in /dev/disk/by-id.
std::string serial_number(const Disk& disk) {
  if (!disk.serial.empty()) return disk.serial;
  return disk.name.substr(0, longest_serial(disk.bus));
}

bool direct(DiskCache cache) {
  return cache == DiskCache::none || cache == DiskCache::directsync;
}

const char* aio_word(DiskAio aio) {
  switch (aio) {
    case DiskAio::threads:
      return "threads";
    case DiskAio::native:
      return "native";
    case DiskAio::io_uring:
      break;
  }
  return "io_uring";
}

std::string add_nodes(Draft& draft, std::size_t index, const DiskFile& file) {
  const auto& disk = draft.profile.disks[index];
  const auto key = key_of("disk", index);
  auto node = qemu_id("disk-", disk.name);
  const Value cache{{"direct", direct(disk.cache)}, {"no-flush", disk.cache == DiskCache::unsafe}};
  const bool discard = disk.discard && !file.readonly;
  if (disk.aio == DiskAio::native && !direct(disk.cache)) {
    draft.error(key_of("disk", index, "aio"), "aio = \"native\" works only past the host's cache")
        .help.emplace_back("add cache = \"none\" or cache = \"directsync\"");
  }
  Value value{{"driver", file.format == DiskFormat::qcow2 ? "qcow2" : "raw"},
              {"node-name", node},
              {"read-only", file.readonly},
              {"cache", cache}};
  if (!file.readonly) {
    value["discard"] = discard ? "unmap" : "ignore";
    value["detect-zeroes"] = discard ? "unmap" : "off";
  }
  value["file"] = {{"driver", file.block_device ? "host_device" : "file"},
                   {"node-name", qemu_id("file-", disk.name)},
                   {"filename", file.path},
                   {"read-only", file.readonly},
                   {"auto-read-only", false},
                   {"aio", aio_word(disk.aio)},
                   {"cache", cache},
                   {"discard", discard ? "unmap" : "ignore"}};
  draft.json_option("-blockdev", value,
                    draft.because(key,
                                  "the file and its format, named so that snapshots and resizing "
                                  "can speak of it; the format is said and never guessed from "
                                  "what a guest may have written"));
  draft.plan.disks.push_back({disk.name, node, file.path, file.format, file.readonly});
  return node;
}

/// The device's driver and bus; false after an error.
bool place(Draft& draft, std::size_t index, Buses& buses, Value& device) {
  const auto& disk = draft.profile.disks[index];
  const auto key = key_of("disk", index, "bus");
  const bool cdrom = disk.media == DiskMedia::cdrom;
  if (draft.board == Board::microvm && disk.bus != DiskBus::virtio && disk.bus != DiskBus::scsi) {
    draft.not_on_microvm(key, "this disk's bus; it has virtio and scsi");
    return false;
  }
  switch (disk.bus) {
    case DiskBus::virtio:
      device["driver"] = draft.virtio("virtio-blk");
      break;
    case DiskBus::scsi:
      device["driver"] = cdrom ? "scsi-cd" : "scsi-hd";
      buses.scsi(device, key);
      break;
    case DiskBus::nvme:
      device["driver"] = "nvme";
      break;
    case DiskBus::sata:
      if (disk.readonly && !cdrom) {
        draft.error(key, "a SATA disk cannot be read-only")
            .help.emplace_back("use bus = \"virtio\" or \"scsi\", or media = \"cdrom\"");
        return false;
      }
      device["driver"] = cdrom ? "ide-cd" : "ide-hd";
      buses.sata(device, key);
      break;
    case DiskBus::usb: {
      const auto reason = draft.because(key, "a disk on USB");
      const auto bus = draft.usb_bus(reason, key);
      if (!cdrom) {
        device["driver"] = "usb-storage";
        device["bus"] = bus;
        break;
      }
      // usb-storage is always a disk: a drive for CDs is SCSI behind a bridge.
      const auto bridge = qemu_id("bot-", disk.name);
      draft.device({{"driver", "usb-bot"}, {"id", bridge}, {"bus", bus}}, reason, key);
      device["driver"] = "scsi-cd";
      device["bus"] = bridge + ".0";
      break;
    }
  }
  return true;
}

void add_drive(Draft& draft, std::size_t index, Buses& buses, const std::string& node,
               int boot_index) {
  const auto& disk = draft.profile.disks[index];
  const bool has_tray =
      disk.media == DiskMedia::cdrom &&
      (disk.bus == DiskBus::sata || disk.bus == DiskBus::scsi || disk.bus == DiskBus::usb);
  if (node.empty() && !has_tray) {
    draft.error(key_of("disk", index, "bus"),
                "a drive without a medium has to be on the bus sata, "
                "scsi or usb");
    return;
  }
  Value device{{"driver", ""}, {"id", qemu_id("drive-", disk.name)}};
  if (!place(draft, index, buses, device)) return;
  if (!node.empty()) device["drive"] = node;
  if (const auto serial = serial_number(disk); !serial.empty()) device["serial"] = serial;
  if (disk.cache == DiskCache::writethrough || disk.cache == DiskCache::directsync)
    device["write-cache"] = "off";
  if (boot_index > 0) device["bootindex"] = boot_index;
  std::string rule = "the drive as the guest sees it";
  if (boot_index > 0) rule += "; bootindex follows `machine.boot`";
  draft.device(device, draft.because(key_of("disk", index), rule), key_of("disk", index, "bus"));
}

void check_serials(Draft& draft) {
  std::map<std::string, std::size_t> first;
  const auto& disks = draft.profile.disks;
  for (std::size_t index = 0; index < disks.size(); ++index) {
    const auto serial = serial_number(disks[index]);
    const auto [other, fresh] = first.emplace(serial, index);
    if (fresh || serial.empty()) continue;
    draft
        .warning(key_of("disk", index, "serial"),
                 "disks " + in_backticks(disks[other->second].name) + " and " +
                     in_backticks(disks[index].name) + " have the same serial number, " +
                     in_backticks(serial) + ": the guest cannot tell them apart by it")
        .help.emplace_back("give one of them another `serial`");
  }
}

}  // namespace

void add_disks(Draft& draft) {
  const auto order = boot_order(draft.profile);
  Buses buses(draft);
  check_serials(draft);
  for (std::size_t index = 0; index < draft.profile.disks.size(); ++index) {
    const auto file = resolve_disk(draft, index);
    if (!file) continue;
    const auto node = file->path.empty() ? std::string{} : add_nodes(draft, index, *file);
    add_drive(draft, index, buses, node, order.disks[index]);
  }
}

}  // namespace qlaunch::planner
