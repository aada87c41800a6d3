// SPDX-License-Identifier: MIT
// Becomes another program, which then has this one's process, terminal and signals. Starts no
// process: see spawn.hpp.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

/// argv[0] with a slash is the file, else looked up in PATH. Throws where exec fails; else it does
/// not return. Blocked signals and ignored ones are as in a fresh process.
[[noreturn]] void become(const std::vector<std::string>& argv);

}  // namespace qlaunch
