// SPDX-License-Identifier: MIT
// Which processes a start has made, written down before each of them runs its program, so that none
// is unknown when the one that starts them is killed. Says nothing of a run that has its record.
#pragma once

#include "host/files.hpp"
#include "host/process.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Opened for appending, with this process as its first. Empty where that is not possible: a start
/// does not fail for it.
UniqueFd begin_start_list(const std::string& runtime);

/// First whoever starts the others. Empty where there was no start.
std::vector<ProcessId> read_start_list(const std::string& runtime);

/// Ends all of them (the starter first, so that it starts no more) and waits until they have ended.
void end_start(const std::string& runtime);

}  // namespace qlaunch
