// SPDX-License-Identifier: MIT
#include "vm/snapshot/blockers.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "vm/disk/drive.hpp"
#include "vm/move_paths.hpp"
#include "vm/snapshot/plan.hpp"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What stands between single quotes after `mark`.
std::string quoted_after(const std::string& text, std::string_view mark) {
  const auto at = text.find(mark);
  if (at == std::string::npos) return {};
  const auto begin = text.find('\'', at);
  if (begin == std::string::npos) return {};
  const auto end = text.find('\'', begin + 1);
  return end == std::string::npos ? std::string() : text.substr(begin + 1, end - begin - 1);
}

Blocker no_format(const std::string& name, const std::string& path, const std::string& driver) {
  Blocker blocker{"disk " + in_backticks(name) + " is " + (driver.empty() ? "raw" : driver) +
                      ", which holds no snapshots",
                  {}};
  if (!path.empty())
    blocker.help.push_back("shut the VM down, convert it with `qemu-img convert -O qcow2 " +
                           shell_quote(path) + " " + shell_quote(path + ".qcow2") +
                           "`, and name that file in the profile");
  blocker.help.emplace_back("a disk that the guest only reads can be `readonly = true`");
  return blocker;
}

/// Overlays that are made anew at each start, in a folder that goes with the run.
void add_ephemeral(std::vector<Blocker>& out, const Plan& plan) {
  for (const auto& disk : written_disks(plan)) {
    const bool fresh = lies_below(disk.path, plan.paths.runtime);
    if (fresh)
      out.push_back(
          {"disk " + in_backticks(disk.name) + " is ephemeral: what it holds ends with this run",
           {"leave `ephemeral` out of its [[disk]], or make the disk read-only"}});
  }
}

Blocker explain(const std::string& reason) {
  if (has(reason, "vhost-user-fs"))
    return {"a virtiofs share keeps its state outside of QEMU, which this QEMU cannot save",
            {"`--detach-shares` unplugs it for that moment",
             "`driver = \"9p\"` in its [[share]] can be saved while the guest has it unmounted"},
            true};
  if (has(reason, "VirtFS")) {
    const auto tag = quoted_after(reason, "mount_tag");
    return {"the guest has 9p share " + in_backticks(tag) + " mounted",
            {"unmount it in the guest for that moment, or have `--detach-shares` do that"},
            true};
  }
  if (has(reason, "nvme"))
    return {"an NVMe disk keeps state that QEMU cannot save",
            {"use `bus = \"virtio\"` or `bus = \"scsi\"` for that disk"}};
  if (has(reason, "virgl") || has(reason, "virtio-gpu-gl"))
    return {"a GL display keeps its state on the host's graphics card",
            {"use `gpu = \"virtio\"` in [display]"}};
  if (has(reason, "invtsc"))
    return {"the CPU feature `invtsc` ties the guest to this host's clock",
            {"leave it out of `features` in [cpu]"}};
  return {"QEMU says: " + reason, {}};
}

}  // namespace

std::vector<WrittenNode> written_nodes(const nlohmann::json& blocks, const Plan& plan) {
  std::vector<WrittenNode> out;
  const auto disks = written_disks(plan);
  for (const auto& block : blocks) {
    const auto inserted = block.find("inserted");
    if (inserted == block.end() || inserted->value("ro", false)) continue;
    WrittenNode node{block.value("qdev", block.value("device", "")),
                     inserted->value("node-name", ""), inserted->value("file", ""),
                     inserted->value("drv", "")};
    for (const auto& disk : disks) {
      // The drive counts: since a clone of the running VM it is written through another node.
      if (disk.node != node.node && !is_drive_of(node.name, disk.name)) continue;
      node.name = disk.name;
      node.path = disk.path;
      break;
    }
    if (node.name.empty()) node.name = node.node;
    out.push_back(std::move(node));
  }
  // In the order of the profile; QEMU has one of its own.
  const auto place = [&](const WrittenNode& node) {
    return std::find_if(disks.begin(), disks.end(),
                        [&](const auto& disk) { return disk.name == node.name; }) -
           disks.begin();
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const auto& left, const auto& right) { return place(left) < place(right); });
  return out;
}

std::vector<Blocker> find_blockers(const std::vector<WrittenNode>& nodes,
                                   const std::vector<std::string>& reasons, const Plan& plan) {
  std::vector<Blocker> out;
  for (const auto& node : nodes) {
    if (node.driver != "qcow2") out.push_back(no_format(node.name, node.path, node.driver));
  }
  for (const auto& disk : written_disks(plan)) {
    const bool there = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const auto& node) { return node.name == disk.name; });
    if (there) continue;
    out.push_back({"disk " + in_backticks(disk.name) + " is not there any more",
                   {"a snapshot without it could not be taken up again"}});
  }
  add_ephemeral(out, plan);
  // What is told of a disk once is enough.
  const bool any_disk = !out.empty();
  for (const auto& reason : reasons) {
    if (any_disk && has(reason, "does not support snapshots")) continue;
    auto blocker = explain(reason);
    const bool known = std::any_of(out.begin(), out.end(),
                                   [&](const auto& each) { return each.what == blocker.what; });
    if (!known) out.push_back(std::move(blocker));
  }
  return out;
}

std::vector<Blocker> find_blockers(const Plan& plan) {
  std::vector<Blocker> out;
  for (const auto& disk : written_disks(plan)) {
    if (disk.format != DiskFormat::qcow2) out.push_back(no_format(disk.name, disk.path, "raw"));
  }
  add_ephemeral(out, plan);
  return out;
}

StateError blocked(const std::string& name, const std::vector<Blocker>& blockers, bool disks_only) {
  const bool one = blockers.size() == 1;
  std::string text = "no snapshot of VM " + in_backticks(name) + " can be made: ";
  if (one) {
    text += blockers.front().what;
  } else {
    for (const auto& blocker : blockers) text += "\n  - " + blocker.what;
  }
  StateError error(std::move(text));
  for (const auto& blocker : blockers) {
    for (const auto& help : blocker.help) error.help(help);
  }
  const bool disk = std::any_of(blockers.begin(), blockers.end(),
                                [](const auto& each) { return each.what.starts_with("disk "); });
  if (!disks_only && !disk)
    error.help("`--disk-only` takes the disks alone, as a power cut would leave them");
  return error;
}

}  // namespace qlaunch
