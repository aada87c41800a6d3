// SPDX-License-Identifier: MIT
// Which of QEMU's drives a disk of the plan is, whatever node it is written through now.
// Asks nobody.
#pragma once

#include <string>

namespace qlaunch {

/// `qdev` as `query-block` tells it: an id, or the path of the device or of a part of it.
bool is_drive_of(const std::string& qdev, const std::string& disk);

}  // namespace qlaunch
