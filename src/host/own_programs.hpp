// SPDX-License-Identifier: MIT
// Where the programs are that belong to qlaunch and are installed beside it. Runs none.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

/// Where `qlaunch-PART` may be, seen from the folder of this program: in the build folder, beside
/// it, in a prefix that was moved, in the one it was built for.
std::vector<std::string> own_program_places(const std::string& part, const std::string& folder);

/// The first of them that can be run; `does`, as in "that downloads", is for the Error where there
/// is none.
std::string own_program(const std::string& part, const std::string& does);

}  // namespace qlaunch
