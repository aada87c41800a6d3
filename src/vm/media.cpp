// SPDX-License-Identifier: MIT
#include "vm/media.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "host/files.hpp"
#include "qmp/message.hpp"
#include "vm/live.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

/// A guest that lets go of a medium does so at once, or asks a person first.
constexpr auto tray_patience = std::chrono::seconds(5);
/// The ids of drives, see plan/disks.cpp.
constexpr std::string_view drive_prefix = "drive-";

std::vector<MediaDrive> read_drives(qmp::SyncClient& client) {
  std::vector<MediaDrive> drives;
  for (const auto& block : client.execute("query-block")) {
    if (!block.value("removable", false)) continue;
    MediaDrive drive;
    drive.device = block.value("qdev", "");
    drive.name = drive.device;
    if (drive.name.starts_with(drive_prefix)) drive.name.erase(0, drive_prefix.size());
    if (drive.device.empty()) continue;
    drive.tray_open = block.value("tray_open", false);
    drive.locked = block.value("locked", false);
    if (block.contains("inserted")) {
      const auto& inserted = block.at("inserted");
      drive.file = inserted.value("file", "");
      drive.node = inserted.value("node-name", "");
      drive.format = inserted.value("drv", "");
    }
    drives.push_back(std::move(drive));
  }
  return drives;
}

/// The VM's drives while the command socket is held.
class Drives {
 public:
  explicit Drives(const std::string& name) : live_(require_running(name)), socket_(live_) {}

  std::vector<MediaDrive> list() { return read_drives(socket_.client()); }

  MediaDrive find(const std::string& wanted) {
    const auto drives = list();
    std::vector<std::string> names;
    for (const auto& drive : drives) {
      if (drive.name == wanted || drive.device == wanted) return drive;
      names.push_back(drive.name);
    }
    if (names.empty())
      throw StateError("VM " + in_backticks(live_.name) + " has no drive for media")
          .help("a [[disk]] with media = \"cdrom\" is one, with or without an image in it");
    if (wanted.empty() && drives.size() == 1) return drives.front();
    if (wanted.empty())
      throw UsageError("VM " + in_backticks(live_.name) + " has several drives: name one of them")
          .help("they are " + enumerate(names));
    StateError error("VM " + in_backticks(live_.name) + " has no drive " + in_backticks(wanted));
    if (const auto near = nearest(wanted, names))
      error.help("did you mean " + in_backticks(*near) + "?");
    throw std::move(error).help((names.size() == 1 ? "its drive is " : "its drives are ") +
                                enumerate(names));
  }

  void take_out(const MediaDrive& drive, bool force) {
    if (!drive.tray_open) open_tray(drive, force);
    if (drive.file.empty()) return;
    command("blockdev-remove-medium", {{"id", drive.device}});
    // QEMU would keep the file open.
    if (!drive.node.empty() && drive.node.front() != '#') forget(drive.node);
  }

  void put_in(const MediaDrive& drive, const std::string& path, const std::string& format) {
    // The old node may still be there where something else uses it.
    std::string node = "medium-" + drive.name.substr(0, 16);
    for (int number = 2; has_node(node); ++number)
      node = "medium-" + drive.name.substr(0, 16) + '-' + std::to_string(number);
    const Json file = {{"driver", "file"}, {"filename", path}, {"read-only", true}};
    command("blockdev-add",
            {{"node-name", node}, {"driver", format}, {"read-only", true}, {"file", file}});
    try {
      command("blockdev-insert-medium", {{"id", drive.device}, {"node-name", node}});
      command("blockdev-close-tray", {{"id", drive.device}});
    } catch (...) {
      forget(node);
      throw;
    }
  }

  /// So that `status` tells what is in the drive.
  void write_down(const MediaDrive& drive) const {
    auto live = read_live(live_.name);
    if (!live || !(live->qemu == live_.qemu)) return;
    auto& disks = live->plan.disks;
    const auto at = std::find_if(disks.begin(), disks.end(),
                                 [&](const auto& disk) { return disk.name == drive.name; });
    const auto format = drive.format == "qcow2" ? DiskFormat::qcow2 : DiskFormat::raw;
    const PlannedDisk disk{drive.name, drive.node, drive.file, format, true};
    if (drive.file.empty()) {
      if (at != disks.end()) disks.erase(at);
    } else if (at != disks.end()) {
      *at = disk;
    } else {
      disks.push_back(disk);
    }
    write_live(*live);
  }

 private:
  void command(const char* name, const Json& arguments) {
    socket_.client().execute(name, arguments);
  }

  void forget(const std::string& node) {
    try {
      command("blockdev-del", {{"node-name", node}});
    } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
      // Not made by qlaunch, or in use: it stays.
    }
  }

  bool has_node(const std::string& node) {
    const auto nodes = socket_.client().execute("query-named-block-nodes", {{"flat", true}});
    return std::any_of(nodes.begin(), nodes.end(),
                       [&](const auto& each) { return each.value("node-name", "") == node; });
  }

  void open_tray(const MediaDrive& drive, bool force) {
    auto& client = socket_.client();
    client.discard_events();
    command("blockdev-open-tray", {{"id", drive.device}, {"force", force}});
    // A tray that the guest holds shut is not opened: the guest is asked to.
    if (!drive.locked || force || find(drive.name).tray_open) return;
    client.wait_event({"DEVICE_TRAY_MOVED"}, tray_patience);
    if (find(drive.name).tray_open) return;
    throw Error("the guest of " + in_backticks(live_.name) + " holds drive " +
                in_backticks(drive.name) + " shut")
        .help("unmount it in the guest, or use --force")
        .help("a guest that still reads from it gets errors then");
  }

  LiveRecord live_;
  CommandSocket socket_;
};

/// The format, after all that can be wrong with the file has been said in words.
std::string check_medium(const std::string& path) {
  const auto fact = file_fact(path);
  const auto quoted = in_backticks(path);
  if (fact.kind == FileFact::Kind::missing) throw Error("file " + quoted + " does not exist");
  if (fact.kind == FileFact::Kind::folder)
    throw Error(quoted + " is a folder, and a drive takes an image")
        .help("a folder of this host is given to a guest with [[share]]");
  if (fact.kind == FileFact::Kind::other) throw Error(quoted + " is no file");
  if (!fact.readable) throw Error("file " + quoted + " may not be read by you");
  if (fact.kind == FileFact::Kind::file && fact.size == 0)
    throw Error("file " + quoted + " is empty: it is no image");
  return fact.format == "qcow2" ? "qcow2" : "raw";
}

}  // namespace

std::vector<MediaDrive> list_media(const std::string& name) {
  return Drives(name).list();
}

MediaDrive insert_medium(const std::string& name, const MediaRequest& request,
                         const std::string& file) {
  const auto path = std::filesystem::absolute(file).lexically_normal().string();
  const auto format = check_medium(path);
  Drives drives(name);
  const auto before = drives.find(request.drive);
  drives.take_out(before, request.force);
  try {
    drives.put_in(before, path, format);
  } catch (const qmp::Refused& error) {
    drives.write_down(drives.find(before.name));
    throw Error("QEMU does not take " + in_backticks(path) + ": " + error.desc())
        .help("drive " + in_backticks(before.name) + " is empty now");
  }
  auto after = drives.find(before.name);
  drives.write_down(after);
  return after;
}

MediaDrive eject_medium(const std::string& name, const MediaRequest& request) {
  Drives drives(name);
  auto before = drives.find(request.drive);
  if (before.file.empty() && before.tray_open) return before;
  drives.take_out(before, request.force);
  auto after = drives.find(before.name);
  drives.write_down(after);
  return after;
}

}  // namespace qlaunch
