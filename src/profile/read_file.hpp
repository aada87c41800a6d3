// SPDX-License-Identifier: MIT
// The bytes of a profile's file, for ProfileWorld::read. Does not look at what they mean.
#pragma once

#include <string>

namespace qlaunch {

/// Throws Error where the file cannot be read, is no regular file, or is larger than a profile
/// can be. Never reads more than that. A pipe is read to its end.
std::string read_profile_file(const std::string& path);

}  // namespace qlaunch
