// SPDX-License-Identifier: MIT
// The volume that tells a guest who it is, as a file: made by `qlaunch-seed`, with the VM's keys in
// it. Decides nothing of what is told.
#pragma once

#include "guest/ssh_identity.hpp"
#include "plan/plan.hpp"

#include <string>

namespace qlaunch {

/// 0600, whole or not at all, and left alone where it says the same already. The VM's keys are made
/// where they are missing. Throws where it cannot be made.
void make_seed_volume(const MakeSeed& seed);

/// A text with the keys below a folder in place of their marks; as it is where the folder is empty.
std::string with_keys(std::string text, const std::string& ssh_folder);

/// A text with the keys in place of their marks (plan/seed/marks.hpp).
std::string with_keys(std::string text, const SshIdentity& identity,
                      const std::string& private_host_key);

}  // namespace qlaunch
