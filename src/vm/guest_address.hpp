// SPDX-License-Identifier: MIT
// The address of a guest that is on a bridge with its host: as its agent has told it, or as the
// host's own tables have it. Sends nothing into the network.
#pragma once

#include "vm/live.hpp"

#include <string>

namespace qlaunch {

/// Empty where none is known, and for a guest on QEMU's own network alone: it has one there, which
/// nobody reaches.
std::string guest_address(const LiveRecord& live);

}  // namespace qlaunch
