// SPDX-License-Identifier: MIT
// Gives a stopped VM another name: record, disks and logs move with it. To its guest it stays the
// same machine, with the same MAC addresses and UUID. Leaves the profile alone.
#pragma once

#include <string>

namespace qlaunch {

/// All or nothing; where the process is killed in between, the VM has one of the two names and can
/// be started. Throws StateError where the VM runs or `to` is taken, UsageError where `to` is no
/// name or the profile itself names files in the VM's folder.
void rename_vm(const std::string& from, const std::string& to);

}  // namespace qlaunch
