// SPDX-License-Identifier: MIT
// Which file each disk is, what has to make it, and what is wrong with it.
// Does not know how the guest sees it.
#pragma once

#include "plan/draft.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch::planner {

struct DiskFile {
  std::string path;  // empty: a drive without a medium
  DiskFormat format = DiskFormat::qcow2;
  bool readonly = false;
  bool block_device = false;  // QEMU drives those by `host_device`
};

/// Adds preparations and findings. Nothing after an error that leaves no file to speak of.
std::optional<DiskFile> resolve_disk(Draft& draft, std::size_t index);

}  // namespace qlaunch::planner
