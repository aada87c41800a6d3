// SPDX-License-Identifier: MIT
// The order in which firmware tries disks, CD drives and network cards, as QEMU's bootindex.
// Does not know what is on them.
#pragma once

#include "profile/profile.hpp"

#include <vector>

namespace qlaunch::planner {

/// One number for each disk and network of the profile, from 1; 0 where it is not tried.
struct BootOrder {
  std::vector<int> disks, networks;
};

/// A network card is tried only where the file asks for it, or where there is nothing else: its
/// boot ROM costs time at every start.
BootOrder boot_order(const Profile& profile);

}  // namespace qlaunch::planner
