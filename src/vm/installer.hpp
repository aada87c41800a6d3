// SPDX-License-Identifier: MIT
// A CD image that is booted once, before everything else: an installer. Does not touch the drives
// that the profile has.
#pragma once

#include "vm/live.hpp"

#include <string>

namespace qlaunch {

/// Adds a drive that the firmware tries first.
void add_installer(Profile& profile, const std::string& path);

/// From the next reset on the firmware tries it last, so that an installed system starts.
void boot_installer_once(const LiveRecord& live);

}  // namespace qlaunch
