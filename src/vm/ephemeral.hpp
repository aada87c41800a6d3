// SPDX-License-Identifier: MIT
// VMs of which nothing is to be left: their names, the mark on them, and how they go. Does not end
// any that runs.
#pragma once

#include "plan/host_facts.hpp"

#include <string>

namespace qlaunch {

/// "web-4f7k2": nobody has it yet, most probably; it still has to be claimed.
std::string ephemeral_name(const std::string& base);

/// Must be set before anything else is made in the VM's folder.
void mark_ephemeral(const VmPaths& paths);
bool is_ephemeral(const VmPaths& paths);
bool is_ephemeral(const std::string& name);

/// Everything that is kept of a run that has ended.
void remove_ephemeral(const VmPaths& paths);

/// A new name beside a VM's data folder: what bears it is on its way out, no VM any more, and is
/// removed by the next command where this one does not get to it.
std::string going_name(const VmPaths& paths);

/// Where a VM of this name is put together before it is one. Its file `lock` is held meanwhile.
std::string staging_folder(const std::string& name);

/// Removes what is left of such runs, of VMs on their way out and of those that never came to be,
/// where nobody did: their keeper was killed, or the host went
/// down. Skips what runs or is being started, and what it cannot read.
void tidy_ephemeral();

}  // namespace qlaunch
