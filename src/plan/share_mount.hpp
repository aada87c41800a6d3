// SPDX-License-Identifier: MIT
// How a guest mounts a share, in words: for mount(8), and for the configuration of a NixOS guest.
// Mounts nothing.
#pragma once

#include "plan/plan.hpp"

#include <string>

namespace qlaunch {

/// Where the guest is told to mount it, else a place to propose.
std::string mount_target(const PlannedShare& share);

/// "mount -t 9p -o trans=virtio,… work /mnt/work"
std::string mount_command(const PlannedShare& share);

/// `fileSystems."/mnt/work" = { device = "work"; … };`
std::string nixos_mount(const PlannedShare& share);

}  // namespace qlaunch
