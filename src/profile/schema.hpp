// SPDX-License-Identifier: MIT
// The profile language as a JSON Schema (draft 2020-12), made from the table of keys.
// Does not validate anything itself.
#pragma once

#include <string>

namespace qlaunch {

/// Pretty-printed JSON with a newline at its end; the same bytes each time.
std::string profile_schema();

}  // namespace qlaunch
