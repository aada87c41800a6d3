// SPDX-License-Identifier: MIT
#include "vm/disk/disk_change.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/image_locks.hpp"
#include "image/new_image.hpp"
#include "vm/disk/clone_live.hpp"
#include "vm/disk/disk_facts.hpp"
#include "vm/live.hpp"
#include "vm/state/suspended.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

constexpr std::uint64_t sector = 512;
// As of the profile's key.
constexpr std::uint64_t largest = 64 * tib;

void check_base(const NewDisk& disk) {
  const auto fact = file_fact(disk.base);
  const auto quoted = in_backticks(disk.base);
  if (fact.kind == FileFact::Kind::missing) throw Error("base " + quoted + " does not exist");
  if (fact.kind == FileFact::Kind::folder || fact.kind == FileFact::Kind::other)
    throw Error("base " + quoted + " is no disk image");
  if (!fact.readable) throw Error("base " + quoted + " may not be read by you");
  if (disk.format != "qcow2")
    throw UsageError("a disk with a base is an overlay, which only qcow2 can be");
  for (const auto& need : ImageNeeds().of(disk.base)) {
    if (!need.overlay.empty()) continue;
    throw StateError("base " + quoted + " is a disk of VM " + in_backticks(need.vm) +
                     ": an overlay on it would be destroyed with the next write")
        .help("`qlaunch clone " + shell_quote(need.vm) + " NEW` makes a VM with such overlays")
        .help("or copy the file, and use the copy as base");
  }
  if (image_use(disk.base) == ImageUse::writes)
    throw StateError("base " + quoted + " is being written by " +
                     describe_holders(image_holders(disk.base)));
}

std::uint64_t wanted_size(const NewSize& size, std::uint64_t before, const std::string& name) {
  if (size.more && size.bytes > largest - std::min(before, largest))
    throw UsageError("a disk has at most " + format_size(largest));
  const auto after = size.more ? before + size.bytes : size.bytes;
  if (after >= before) return after;
  throw UsageError(in_backticks(name) + " has " + format_size(before) +
                   ", and a disk is never shrunk: that would cut off what is on it")
      .help("a smaller disk is a new one: `qlaunch disk create`, and copy in the guest");
}

Resized resize_running(const DiskTarget& target, const LiveRecord& live, const NewSize& size) {
  CommandSocket socket(live);
  auto& client = socket.client();
  Resized done;
  done.running = true;
  // A clone may have put another node on top.
  const auto node = current_node(client, {target.disk, target.node, target.path});
  const auto nodes = client.execute("query-named-block-nodes", {{"flat", true}});
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const auto& each) {
    return each.value("node-name", "") == node;
  });
  if (found == nodes.end())
    throw StateError("the QEMU of VM " + in_backticks(target.vm) + " has no disk " +
                     in_backticks(target.disk) + " now");
  done.before = found->at("image").at("virtual-size");
  done.after = wanted_size(size, done.before, target.name());
  if (done.after == done.before) return done;
  try {
    client.execute("block_resize", {{"node-name", node}, {"size", done.after}});
  } catch (const qmp::Refused& refused) {
    throw Error("cannot resize " + in_backticks(target.name()) + ": " + refused.desc());
  }
  return done;
}

/// A suspended guest goes on with what it knows of its disks.
void require_awake(const DiskTarget& target) {
  const auto owner = suspended_owner(target.path, {});
  if (owner.empty()) return;
  throw StateError(in_backticks(target.name()) + " has to stay as it is: VM " +
                   in_backticks(owner) + " is suspended")
      .help("`qlaunch up " + shell_quote(owner) + "` lets it go on");
}

}  // namespace

ImageInfo create_disk(const NewDisk& disk) {
  if (disk.base.empty() && !disk.size)
    throw UsageError("a new disk needs a SIZE").help("as in `qlaunch disk create FILE 20GiB`");
  if (file_fact(disk.path).kind != FileFact::Kind::missing)
    throw Error(in_backticks(disk.path) + " exists already, and no file is ever overwritten");
  const auto folder = std::filesystem::path(disk.path).parent_path().string();
  if (file_fact(folder).kind != FileFact::Kind::folder)
    throw Error("there is no folder " + in_backticks(folder));
  if (disk.size && (*disk.size == 0 || *disk.size % sector != 0 || *disk.size > largest))
    throw UsageError("a disk has a multiple of 512 bytes, at most " + format_size(largest));
  const QemuImg qemu_img;
  std::vector<std::string> words{"create", "-q", "-f", disk.format};
  if (!disk.base.empty()) {
    check_base(disk);
    const auto base = qemu_img.info(disk.base);
    if (disk.size && *disk.size < base.virtual_size)
      throw UsageError("the disk would be smaller than its base (" +
                       format_size(base.virtual_size) + ')')
          .help("give at least that size, or leave it out");
    words.insert(words.end(), {"-b", disk.base, "-F", base.format});
  }
  words.emplace_back("{}");
  if (disk.size) words.push_back(std::to_string(*disk.size));
  make_image(qemu_img, disk.path, words);
  return qemu_img.info(disk.path, disk.format);
}

NewSize parse_new_size(const std::string& text) {
  NewSize size;
  size.more = text.starts_with('+');
  if (text.starts_with('-'))
    throw UsageError("a disk is never shrunk: " + in_backticks(text) +
                     " would cut off what is on it");
  size.bytes = parse_size(std::string_view(text).substr(size.more ? 1 : 0));
  if (size.bytes % sector != 0 || size.bytes > largest)
    throw UsageError("a disk has a multiple of 512 bytes, at most " + format_size(largest));
  return size;
}

Resized resize_disk(const DiskTarget& target, const NewSize& size) {
  if (target.nvram) throw UsageError("UEFI variables have the size that the firmware gives them");
  if (target.readonly) throw StateError(in_backticks(target.name()) + " is read-only in its VM");
  if (!target.vm.empty()) {
    if (const auto status = look(target.vm); status.live)
      return resize_running(target, *status.live, size);
  }
  if (file_fact(target.path).kind == FileFact::Kind::missing)
    throw StateError("there is no file " + in_backticks(target.path));
  require_unused(target);
  require_awake(target);
  require_no_overlays(target.path, target.name(), ImageNeeds());
  const QemuImg qemu_img;
  const auto info = qemu_img.info(target.path, target.format);
  Resized done{info.virtual_size, wanted_size(size, info.virtual_size, target.name()), false};
  if (done.after == done.before) return done;
  if (info.version_2 && !info.snapshots.empty())
    throw Error(in_backticks(target.name()) +
                " has snapshots and is qcow2 of the old version, which cannot grow then")
        .help("$ qemu-img amend -f qcow2 -o compat=1.1 " + shell_quote(target.path));
  // It takes QEMU's lock itself: who starts on the disk meanwhile is told.
  qemu_img.run({"resize", "-q", "-f", info.format, target.path, std::to_string(done.after)},
               "cannot resize " + in_backticks(target.name()), target.path);
  return done;
}

ImageCheck check_disk(const DiskTarget& target, bool repair, const ImageWork& work) {
  if (file_fact(target.path).kind == FileFact::Kind::missing)
    throw StateError("there is no file " + in_backticks(target.path));
  require_unused(target);
  const QemuImg qemu_img;
  const auto format = target.format.empty() ? qemu_img.info(target.path).format : target.format;
  const auto found = qemu_img.check(target.path, format, ImageRepair::nothing, work);
  if (!repair || (found.whole() && found.leaks == 0)) return found;
  require_awake(target);
  // An overlay's view of what it lies on would change under it.
  if (!found.whole()) require_no_overlays(target.path, target.name(), ImageNeeds());
  return qemu_img.check(target.path, format, found.whole() ? ImageRepair::leaks : ImageRepair::all,
                        work);
}

}  // namespace qlaunch
