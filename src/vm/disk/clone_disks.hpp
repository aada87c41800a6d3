// SPDX-License-Identifier: MIT
// The disks of a clone: which way each gets its content, and making them from files that nobody
// writes. What a running VM has is another matter (clone_live.hpp).
#pragma once

#include "profile/profile.hpp"
#include "vm/disk/clone.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct CloneDisk {
  std::string name;
  std::string path;  // of the parent's
  std::string file;  // of the clone's, without its folder
  std::string node;  // in the QEMU of a parent that runs
  ImageInfo image;
  CloneWay way = CloneWay::linked;
  std::string why;
  /// Of a copy: what it lies on as the parent's does; empty: the whole content is in the file.
  std::string base, base_format;
  bool nvram = false;
  std::string tag;  // of the snapshot in the file that is copied; empty: what is there now
};

/// What decides the way. `folder`: the parent's.
struct CloneRules {
  bool copy = false;
  bool running = false;
  std::string folder;
};

/// Fills in `way`, `why` and `base` by what is in `image`; `empty` says whether it is an overlay
/// that holds nothing of its own.
void decide_way(CloneDisk& disk, const CloneRules& rules, bool empty);

/// Whether an overlay that nobody writes holds nothing of its own.
bool is_empty_overlay(const QemuImg& qemu_img, const ImageInfo& image);

/// An overlay in `path`, without opening what it lies on.
void make_overlay(const QemuImg& qemu_img, const std::string& path, const std::string& base,
                  const std::string& base_format, std::uint64_t size);

/// The disk's file gets a second name, `base`; throws where the filesystem cannot.
void name_base(const CloneDisk& disk, const std::string& base);

/// The parent's disk becomes the frozen base at `base`, and an overlay on it takes its place, in
/// one step: at any moment the path leads to the same content. Nobody may have the disk open.
void freeze(const QemuImg& qemu_img, const CloneDisk& disk, const std::string& base);

/// The clone's file in `folder`, of a disk that is copied; by reflink where that is possible.
void copy_disk(const QemuImg& qemu_img, const CloneDisk& disk, const std::string& folder,
               const CloneRequest& request);

/// Throws where so much would not fit.
void require_space(const std::vector<CloneDisk>& disks, const std::string& folder);

}  // namespace qlaunch
