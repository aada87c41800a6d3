// SPDX-License-Identifier: MIT
#include "vm/disk/clone_disks.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "image/backing.hpp"
#include "image/copy_file.hpp"
#include "image/new_image.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

}  // namespace

void decide_way(CloneDisk& disk, const CloneRules& rules, bool empty) {
  const auto& image = disk.image;
  const auto copied = [&](const std::string& why) {
    disk.way = CloneWay::copied;
    disk.why = why;
    // A base in the parent's folder would tie the clone to that folder.
    if (rules.copy || image.backing.empty() || lies_below(image.backing, rules.folder)) return;
    // Where the disk does not say what its base is QEMU looks, and may find another thing than we.
    if (image.backing_format.empty()) return;
    disk.base = image.backing;
    disk.base_format = image.backing_format;
  };
  if (rules.copy) return copied("");
  if (image.format != "qcow2") return copied("a " + image.format + " file can be no overlay");
  if (!lies_below(disk.path, rules.folder)) return copied("its file is not qlaunch's");
  if (fs::is_symlink(fs::symlink_status(disk.path)))
    return copied("its file is a link to elsewhere");
  if (!image.snapshots.empty()) return copied("it has snapshots");
  if (lies_below(image.backing, rules.folder)) return copied("");
  if (!rules.running && empty && !image.backing_format.empty()) {
    disk.way = CloneWay::shared;
    disk.base = image.backing;
    disk.base_format = image.backing_format;
    return;
  }
  disk.way = CloneWay::linked;
}

bool is_empty_overlay(const QemuImg& qemu_img, const ImageInfo& image) {
  // Header and tables of a new one take some 200 KiB: a large one needs no closer look.
  if (image.backing.empty() || image.allocated_size > mib) return false;
  const auto map =
      nlohmann::json::parse(qemu_img.run({"map", "--output=json", "-f", image.format, image.path},
                                         "cannot read " + in_backticks(image.path), image.path),
                            nullptr, false);
  if (!map.is_array()) return false;
  return std::none_of(map.begin(), map.end(), [](const auto& part) {
    return part.value("depth", 0) == 0 && part.value("present", true);
  });
}

void make_overlay(const QemuImg& qemu_img, const std::string& path, const std::string& base,
                  const std::string& base_format, std::uint64_t size) {
  qemu_img.run({"create", "-q", "-f", "qcow2", "-u", "-b", base, "-F", base_format, path,
                std::to_string(size)},
               "cannot make " + in_backticks(path), fs::path(path).parent_path().string());
}

void name_base(const CloneDisk& disk, const std::string& base) {
  if (link(disk.path.c_str(), base.c_str()) != 0)
    throw system_error("cannot make " + in_backticks(base), errno)
        .help("`--copy` makes copies, which need no links");
}

void freeze(const QemuImg& qemu_img, const CloneDisk& disk, const std::string& base) {
  const auto overlay = half_made_name(disk.path);
  remove_half_made(disk.path);
  // Until the overlay has taken the first name, nothing has changed.
  name_base(disk, base);
  at_step("clone-based");
  try {
    make_overlay(qemu_img, overlay, base, "qcow2", disk.image.virtual_size);
    struct stat status {};
    if (stat(disk.path.c_str(), &status) == 0) chmod(overlay.c_str(), status.st_mode & 07777);
    if (std::rename(overlay.c_str(), disk.path.c_str()) != 0)
      throw system_error("cannot rename " + in_backticks(overlay), errno);
  } catch (...) {
    unlink(overlay.c_str());
    unlink(base.c_str());
    throw;
  }
  at_step("clone-swapped");
}

void copy_disk(const QemuImg& qemu_img, const CloneDisk& disk, const std::string& folder,
               const CloneRequest& request) {
  const auto target = folder + '/' + disk.file;
  const auto& image = disk.image;
  // A twin has the same base, by the same words.
  const auto backing = backing_of(disk.path);
  const bool same_base = image.format == "raw" || (!backing && disk.base.empty()) ||
                         (backing && backing->file == disk.base);
  if (disk.tag.empty() && same_base && file_fact(disk.path).kind == FileFact::Kind::file &&
      reflink_file(disk.path, target)) {
    // Their tags would speak of another machine's memory.
    for (const auto& snapshot : image.snapshots)
      qemu_img.run({"snapshot", "-q", "-d", snapshot.tag, target},
                   "cannot copy " + in_backticks(disk.path), target);
    return;
  }
  ImageWork work;
  work.timeout = std::chrono::hours(24);
  work.interrupted = request.interrupted;
  work.progress = [&](double percent) { request.progress(disk.name, percent); };
  std::vector<std::string> words{"convert", "-f", image.format, "-O", image.format};
  // Nobody changes what is in a snapshot: it can be read while a QEMU writes to the rest.
  if (!disk.tag.empty())
    words.insert(words.end(), {"--force-share", "-l", "snapshot.name=" + disk.tag});
  if (!disk.base.empty()) words.insert(words.end(), {"-B", disk.base, "-F", disk.base_format});
  words.insert(words.end(), {disk.path, target});
  request.progress(disk.name, 0);
  qemu_img.run(words, "cannot copy disk " + in_backticks(disk.name), target, work);
}

void require_space(const std::vector<CloneDisk>& disks, const std::string& folder) {
  std::uint64_t needed = 0;
  for (const auto& disk : disks) {
    if (disk.way == CloneWay::copied) needed += disk.image.allocated_size;
  }
  const auto free = free_space(folder);
  if (needed <= free) return;
  throw Error("the copies need " + format_size_rounded(needed) + ", and " +
              format_size_rounded(free) + " are free in " + in_backticks(folder));
}

}  // namespace qlaunch
