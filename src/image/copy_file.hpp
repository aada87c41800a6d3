// SPDX-License-Identifier: MIT
// A file's twin on filesystems that can share blocks between files. Copies no bytes.
#pragma once

#include <string>

namespace qlaunch {

/// `to` must not exist. False, and nothing made, where the filesystem cannot do it or the two are
/// on different ones; throws where anything else goes wrong.
bool reflink_file(const std::string& from, const std::string& to);

}  // namespace qlaunch
