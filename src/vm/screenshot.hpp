// SPDX-License-Identifier: MIT
// The picture that a VM shows, as a PNG file's bytes. Writes no file of the user's.
#pragma once

#include <string>

namespace qlaunch {

/// StateError where the VM does not run or has no graphics card.
std::string take_screenshot(const std::string& name);

}  // namespace qlaunch
