// SPDX-License-Identifier: MIT
// What a guest had said of its provisioning when a snapshot of its memory was made: it will not say
// that again. Says nothing of what it means (see guest/provision.hpp).
#pragma once

#include "vm/snapshot/note.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// The log from its last boot on, of a long one the end. Nothing where there is no such log.
std::optional<std::string> provision_to_keep(const std::string& path);

/// The log says what it said then, in the same file: QEMU has it open. Left alone where the note
/// knows nothing of it.
void take_up_provision(const std::string& path, const SnapshotNote& note);

}  // namespace qlaunch
