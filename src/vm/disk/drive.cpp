// SPDX-License-Identifier: MIT
#include "vm/disk/drive.hpp"

#include "plan/identity.hpp"

namespace qlaunch {

bool is_drive_of(const std::string& qdev, const std::string& disk) {
  const auto id = planner::qemu_id("drive-", disk);
  const auto path = "/machine/peripheral/" + id;
  return qdev == id || qdev == path || qdev.starts_with(path + '/');
}

}  // namespace qlaunch
