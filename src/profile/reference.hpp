// SPDX-License-Identifier: MIT
// The profile language as a Markdown page, made from the table of keys.
// Does not write profiles/REFERENCE.md; a test compares the two.
#pragma once

#include <string>

namespace qlaunch {

std::string profile_reference();

}  // namespace qlaunch
