// SPDX-License-Identifier: MIT
// All that can be told of a disk: its file and what it lies on, who uses it, who needs it.
// Changes nothing.
#pragma once

#include "image/image_locks.hpp"
#include "image/qemu_img.hpp"
#include "vm/disk/bases.hpp"
#include "vm/disk/disk_target.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct DiskUser {
  ImageHolder process;
  std::string vm;  // whose QEMU it is; empty: none of ours
};

struct DiskFacts {
  DiskTarget target;
  /// The file first, then what it lies on. Empty where there is no file (yet), or it cannot be
  /// read.
  std::vector<ImageInfo> chain;
  std::string problem;  // in words, where the chain is broken or nothing could be read
  ImageUse use = ImageUse::none;
  std::vector<DiskUser> users;
  std::vector<ImageNeed> needs;
};

DiskFacts disk_facts(const DiskTarget& target, const ImageNeeds& needs);

/// Throws StateError where a process holds the file, with its name and what to do.
void require_unused(const DiskTarget& target);

/// Throws StateError where a VM's disk lies on it.
void require_no_overlays(const std::string& path, const std::string& name, const ImageNeeds& needs);

}  // namespace qlaunch
