// SPDX-License-Identifier: MIT
// What a qcow2 file says of the file it is an overlay on, and telling it another path. Never looks
// at what is on a disk.
#pragma once

#include <optional>
#include <string>

namespace qlaunch {

struct Backing {
  std::string file;    // as it stands there: absolute, or relative to the overlay's folder
  std::string format;  // empty where it does not say
};

/// Nothing for other files, and for a qcow2 file that is no overlay.
std::optional<Backing> backing_of(const std::string& overlay);

/// Changes the words only: the content must be the same under the new path. Throws where qemu-img
/// refuses, as it does while a VM writes to the overlay.
void set_backing(const std::string& overlay, const Backing& backing);

}  // namespace qlaunch
