// SPDX-License-Identifier: MIT
// A guest's place on a bridge of the host, made by qemu-bridge-helper. Sets up no bridge.
#pragma once

#include "host/files.hpp"

#include <string>

namespace qlaunch {

/// A new tap device on the bridge; it goes when the last copy of the descriptor is closed. QEMU's
/// own `-netdev bridge` would have to start the helper itself, which the sandbox forbids it. Throws
/// with what the helper said, and what to do about it.
UniqueFd open_bridge_tap(const std::string& helper, const std::string& bridge);

}  // namespace qlaunch
