// SPDX-License-Identifier: MIT
// VMs as hosts of ssh's own configuration, for editors and tools that speak ssh: their blocks, the
// file that holds them all, and its place in ~/.ssh/config. Connects to nothing.
#pragma once

#include "guest/ssh_link.hpp"

#include <string>
#include <utility>
#include <vector>

namespace qlaunch {

/// As of its last start; the port is found when somebody connects, so that it is right whatever it
/// is by then.
SshLink config_link(const std::string& vm);

/// VMs to whose guests something leads, but for those of which nothing is to be left.
std::vector<std::string> vms_for_ssh();

struct SshHosts {
  std::vector<std::pair<std::string, SshLink>> links;  // by VM
  std::vector<std::string> left_out;  // why a VM is not among them: one hides none of the others
};

/// All of them.
SshHosts ssh_hosts();

/// The file of all their blocks.
std::string ssh_config_file();

/// Writes that file anew; tells of those that are left out of it. Throws where it cannot.
std::vector<std::string> write_ssh_config();

/// The same where it was installed, and says nothing of failures: what was done before has worked.
void refresh_ssh_config() noexcept;

struct UserSshConfig {
  std::string path;         // the file itself, whatever symbolic links lead there
  std::string content;      // with the line that leads to ours
  bool changed = false;     // false: the line is there already
  std::string seen;         // which state of the file this was made of; empty: it was missing
  std::string read_by_ssh;  // where ssh looks instead, going by the password database; else empty
};

/// What ~/.ssh/config is to be. Changes nothing.
UserSshConfig plan_user_ssh_config();

/// Makes it so in one step, with the mode that it has, from what the file is by now: somebody may
/// have edited it since it was looked at.
UserSshConfig install_user_ssh_config();

}  // namespace qlaunch
