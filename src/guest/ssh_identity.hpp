// SPDX-License-Identifier: MIT
// The keys by which ssh knows a VM and a VM knows its owner: made once, by ssh-keygen, below the
// VM's own folder. Does not run ssh and tells no guest.
#pragma once

#include <optional>
#include <string>

namespace qlaunch {

struct SshIdentity {
  std::string key;              // the private key that qlaunch logs in with: its path
  std::string public_key;       // its line, as authorized_keys has it, without a newline
  std::string host_key;         // the private key that the guest's server may be given: its path
  std::string host_public_key;  // its line, "ssh-ed25519 AAAA… qlaunch"
  std::string known_hosts;      // the file of what the guest's server has shown; may not exist yet
};

/// Those below `folder` (`$data/NAME/ssh`, 0700, all files in it 0600), made where they are
/// missing: all of them or none, also when two ask at once or one is killed. What is there is never
/// made anew: the guest would no longer know its owner.
SshIdentity ensure_ssh_identity(const std::string& folder);

/// The same without making any: nothing where there are none.
std::optional<SshIdentity> find_ssh_identity(const std::string& folder);

}  // namespace qlaunch
