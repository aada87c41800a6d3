// SPDX-License-Identifier: MIT
// What is known of a disk, as lines for people and as JSON. Finds out nothing itself.
#pragma once

#include "vm/disk/disk_facts.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

std::string disk_text(const DiskFacts& facts, std::optional<int> width);

/// An array of the objects that `disk` documents.
std::string disks_json(const std::vector<DiskFacts>& disks);

struct CheckedDisk {
  DiskTarget target;
  ImageCheck check;
};
/// "web:root: no errors", or what was found.
std::string check_text(const CheckedDisk& disk, bool repaired);
std::string checks_json(const std::vector<CheckedDisk>& disks);

}  // namespace qlaunch
