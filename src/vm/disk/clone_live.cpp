// SPDX-License-Identifier: MIT
#include "vm/disk/clone_live.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "image/image_locks.hpp"
#include "plan/identity.hpp"
#include "qmp/message.hpp"
#include "vm/disk/drive.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/operation.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr std::string_view our_prefix = "clone-";
/// Between two looks at how far a copy is; its end is told at once.
constexpr auto longest_wait = std::chrono::milliseconds(250);

class Taking {
 public:
  Taking(const LiveRecord& live, std::vector<CloneDisk>& disks, const FrozenPaths& bases,
         const std::string& folder, const CloneRequest& request)
      : live_(live), disks_(disks), bases_(bases), folder_(folder), request_(request) {}

  void run(const std::function<void()>& frozen) {
    // Held to the end: what QEMU tells of a job that goes on would reach the next command first.
    CommandSocket socket(live_);
    auto& client = socket.client();
    forget_old(client);
    read_sizes(client);
    for (const auto& disk : disks_) {
      if (disk.way == CloneWay::copied) make_target(disk);
    }
    try {
      make_overlays();
      transact(client);
    } catch (const qmp::Refused& refused) {
      take_back(client);
      throw Error("QEMU does not give the disks of VM " + in_backticks(live_.name) +
                  " away: " + refused.desc());
    } catch (const Error&) {
      take_back(client);
      throw;
    }
    at_step("clone-frozen");
    std::optional<Error> failure;
    try {
      check_files();
      frozen();
    } catch (const Error& error) {
      failure = error;
    }
    follow_copies(client, std::move(failure));
  }

 private:
  static std::string overlay_node(const CloneDisk& disk) {
    return planner::qemu_id("disk-", disk.name + '-' + std::to_string(getpid()));
  }
  std::string job(const CloneDisk& disk) const {
    return std::string(our_prefix) + std::to_string(getpid()) + '-' + disk.name;
  }
  static std::string target_node(const CloneDisk& disk) {
    return planner::qemu_id(our_prefix, std::to_string(getpid()) + '-' + disk.name);
  }

  /// What a command that was killed has left in this QEMU.
  static void forget_old(qmp::SyncClient& client) {
    const auto quietly = [&](const char* command, const Json& arguments) {
      try {
        client.execute(command, arguments);
      } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
        // Another command is about it.
      }
    };
    for (const auto& each : client.execute("query-jobs")) {
      const std::string id = each.value("id", "");
      if (id.starts_with(our_prefix) && each.value("status", "") == "concluded")
        quietly("job-dismiss", {{"id", id}});
    }
    for (const auto& each : client.execute("query-named-block-nodes", {{"flat", true}})) {
      const std::string node = each.value("node-name", "");
      if (node.starts_with(our_prefix)) quietly("blockdev-del", {{"node-name", node}});
    }
  }

  /// `disk resize` has to wait for this command's socket from here on: a smaller overlay would take
  /// from the guest what it was given.
  void read_sizes(qmp::SyncClient& client) {
    const auto nodes = client.execute("query-named-block-nodes", {{"flat", true}});
    for (auto& disk : disks_) {
      for (const auto& each : nodes) {
        if (each.value("node-name", "") == disk.node)
          disk.image.virtual_size = each.at("image").at("virtual-size").get<std::uint64_t>();
      }
    }
  }

  void make_target(const CloneDisk& disk) const {
    const auto path = folder_ + '/' + disk.file;
    const auto& image = disk.image;
    if (!disk.base.empty()) {
      make_overlay(qemu_img_, path, disk.base, disk.base_format, image.virtual_size);
      return;
    }
    qemu_img_.run({"create", "-q", "-f", image.format, path, std::to_string(image.virtual_size)},
                  "cannot make " + in_backticks(path), folder_);
  }

  std::string overlay_file(const CloneDisk& disk) const {
    return live_.plan.paths.data + '/' + disk.name + std::string(live_overlay_mark) +
           std::to_string(getpid()) + ".qcow2";
  }

  /// What a start after this one has to know is written down before QEMU writes to any of them.
  void make_overlays() {
    const auto& folder = live_.plan.paths.data;
    before_ = read_live_overlays(folder);
    auto after = before_;
    for (const auto& disk : disks_) {
      if (disk.way != CloneWay::linked) continue;
      const auto& base = bases_.at(disk.name);
      const auto overlay = overlay_file(disk);
      name_base(disk, base);
      made_.push_back(base);
      at_step("clone-based");
      made_.push_back(overlay);
      make_overlay(qemu_img_, overlay, base, "qcow2", disk.image.virtual_size);
      const auto known = std::find_if(after.begin(), after.end(), [&](const LiveOverlay& each) {
        return each.current == disk.path;
      });
      if (known == after.end()) {
        after.push_back({disk.path, overlay, {}});
      } else {
        known->old.push_back(known->current);
        known->current = overlay;
      }
    }
    if (made_.empty()) return;
    write_live_overlays(folder, after);
    noted_ = true;
    at_step("clone-noted");
  }

  static void add(qmp::SyncClient& client, const std::string& node, const std::string& format,
                  const std::string& path, bool backing) {
    Json value{{"driver", format},
               {"node-name", node},
               {"discard", "unmap"},
               {"file",
                {{"driver", "file"},
                 {"filename", path},
                 {"auto-read-only", false},
                 {"discard", "unmap"}}}};
    if (format == "qcow2") value["detect-zeroes"] = "unmap";
    // The transaction ties it to the node that writes; opened by itself it would get a second one.
    if (!backing && format == "qcow2") value["backing"] = nullptr;
    client.execute("blockdev-add", value);
  }

  /// How the guest's disk is opened, so that its successor is opened the same way.
  static Json as_opened(const Json& nodes, const CloneDisk& disk) {
    for (const auto& each : nodes) {
      if (each.value("node-name", "") == disk.node) return each;
    }
    return Json::object();
  }

  void transact(qmp::SyncClient& client) {
    const auto nodes = client.execute("query-named-block-nodes", {{"flat", true}});
    Json actions = Json::array();
    for (const auto& disk : disks_) {
      if (disk.way == CloneWay::linked) {
        add_overlay(client, disk, as_opened(nodes, disk));
        added_.push_back(overlay_node(disk));
        actions.push_back({{"type", "blockdev-snapshot"},
                           {"data", {{"node", disk.node}, {"overlay", overlay_node(disk)}}}});
      } else {
        add(client, target_node(disk), disk.image.format, folder_ + '/' + disk.file, true);
        added_.push_back(target_node(disk));
        actions.push_back({{"type", "blockdev-backup"},
                           {"data",
                            {{"device", disk.node},
                             {"target", target_node(disk)},
                             {"sync", disk.base.empty() ? "full" : "top"},
                             {"job-id", job(disk)},
                             {"auto-dismiss", false}}}});
      }
    }
    if (!actions.empty()) client.execute("transaction", {{"actions", actions}});
  }

  void add_overlay(qmp::SyncClient& client, const CloneDisk& disk, const Json& opened) const {
    const auto cache = opened.value("cache", Json::object());
    const Json flags{{"direct", cache.value("direct", false)},
                     {"no-flush", cache.value("no-flush", false)}};
    const auto zeroes = opened.value("detect_zeroes", "off");
    const auto discard = zeroes == "unmap" ? "unmap" : "ignore";
    client.execute("blockdev-add", {{"driver", "qcow2"},
                                    {"node-name", overlay_node(disk)},
                                    {"backing", nullptr},
                                    {"cache", flags},
                                    {"discard", discard},
                                    {"detect-zeroes", zeroes},
                                    {"file",
                                     {{"driver", "file"},
                                      {"filename", overlay_file(disk)},
                                      {"read-only", false},
                                      {"auto-read-only", false},
                                      {"cache", flags},
                                      {"discard", discard}}}});
  }

  /// Before the transaction nobody has written to an overlay: they go as they came.
  void take_back(qmp::SyncClient& client) {
    for (const auto& node : added_) {
      try {
        client.execute("blockdev-del", {{"node-name", node}});
      } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
        // The failure that led here is the news.
      }
    }
    if (noted_) write_live_overlays(live_.plan.paths.data, before_);
    for (std::size_t at = 0; at < made_.size(); at += 2) {
      const bool here = at + 1 < made_.size() && unlink(made_[at + 1].c_str()) == 0;
      // The run may have ended, and its keeper has given the overlay the disk's name: the base is
      // the only one that the data has left then.
      if (here || !noted_) unlink(made_[at].c_str());
    }
  }

  /// QEMU has to hold the very file that is the base now, and the overlay once.
  void check_files() const {
    for (const auto& disk : disks_) {
      if (disk.way != CloneWay::linked) continue;
      const auto& base = bases_.at(disk.name);
      if (times_open(live_.qemu.pid, base) > 0 &&
          times_open(live_.qemu.pid, overlay_file(disk)) == 1)
        continue;
      throw Error("QEMU reads another file than " + in_backticks(base) + " below disk " +
                  in_backticks(disk.name) + " of VM " + in_backticks(live_.name))
          .help("`qlaunch kill " + shell_quote(live_.name) +
                "` before its guest writes more: the files are as they should be");
    }
  }

  void follow_copies(qmp::SyncClient& client, std::optional<Error> failure) {
    std::vector<const CloneDisk*> left;
    for (const auto& disk : disks_) {
      if (disk.way == CloneWay::copied) left.push_back(&disk);
    }
    OperationRecord record(live_.name, "copying its disks for a clone");
    while (!left.empty()) {
      if (!failure && request_.interrupted()) failure.emplace("interrupted");
      if (failure) cancel(client, left);
      const auto jobs = client.execute("query-jobs");
      std::erase_if(left,
                    [&](const CloneDisk* disk) { return ended(client, jobs, *disk, failure); });
      if (!left.empty()) client.wait_event({"JOB_STATUS_CHANGE"}, longest_wait);
    }
    if (failure) throw std::move(*failure);
  }

  void cancel(qmp::SyncClient& client, const std::vector<const CloneDisk*>& left) const {
    for (const auto* disk : left) {
      try {
        client.execute("job-cancel", {{"id", job(*disk)}});
      } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
        // It has ended by itself.
      }
    }
  }

  bool ended(qmp::SyncClient& client, const Json& jobs, const CloneDisk& disk,
             std::optional<Error>& failure) const {
    const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const Json& each) {
      return each.value("id", "") == job(disk);
    });
    if (found == jobs.end()) {
      if (!failure) failure.emplace("the copy of disk " + in_backticks(disk.name) + " is gone");
      return true;
    }
    const auto total = found->value("total-progress", 0.0);
    if (total > 0 && !disk.nvram)
      request_.progress(disk.name, 100 * found->value("current-progress", 0.0) / total);
    if (found->value("status", "") != "concluded") return false;
    if (const auto error = found->value("error", ""); !error.empty() && !failure)
      failure.emplace("cannot copy disk " + in_backticks(disk.name) + ": " + error);
    client.execute("job-dismiss", {{"id", job(disk)}});
    client.execute("blockdev-del", {{"node-name", target_node(disk)}});
    return true;
  }

  const LiveRecord& live_;
  std::vector<CloneDisk>& disks_;
  const FrozenPaths& bases_;
  const std::string& folder_;
  const CloneRequest& request_;
  const QemuImg qemu_img_;
  std::vector<LiveOverlay> before_;
  bool noted_ = false;
  std::vector<std::string> made_;
  std::vector<std::string> added_;
};

}  // namespace

std::string current_node(qmp::SyncClient& client, const PlannedDisk& disk) {
  for (const auto& block : client.execute("query-block")) {
    if (!is_drive_of(block.value("qdev", ""), disk.name)) continue;
    if (!block.contains("inserted")) continue;
    std::string node = block.at("inserted").value("node-name", "");
    if (!node.empty()) return node;
  }
  return disk.node;
}

void take_live(const LiveRecord& live, std::vector<CloneDisk>& disks, const FrozenPaths& bases,
               const std::string& folder, const CloneRequest& request,
               const std::function<void()>& frozen) {
  Taking(live, disks, bases, folder, request).run(frozen);
}

}  // namespace qlaunch
