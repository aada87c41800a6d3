// SPDX-License-Identifier: MIT
// The same work for several VMs at once, each with its own result or failure.
// Does not know what the work is.
#pragma once

#include "cli/progress.hpp"

#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

/// `words` are VMs as typed. `work` gets a VM's name and returns how it went, in words; it runs in
/// a thread of its own where there are several. Prints "NAME: how" for each; failures go to
/// standard error. Returns the exit code of the first of them that failed, or 0.
int for_each_vm(const std::vector<std::string>& words, const Terminal& terminal, Progress& progress,
                const std::function<std::string(const std::string& name)>& work);

}  // namespace qlaunch
