// SPDX-License-Identifier: MIT
// Bytes as base64. Does not read it.
#pragma once

#include <string>
#include <string_view>

namespace qlaunch::planner {

std::string base64(std::string_view bytes);

}  // namespace qlaunch::planner
