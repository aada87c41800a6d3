// SPDX-License-Identifier: MIT
// Gets to the ssh server of a running VM's guest: by which address and keys, once it answers, and
// over one connection that all sessions share. Runs no session.
//
// That connection is a process of ssh's in the background, with a socket in the VM's runtime
// folder. It ends with the VM, and when no session has used it for five minutes.
#pragma once

#include "core/units.hpp"
#include "guest/ssh_link.hpp"
#include "host/files.hpp"
#include "vm/live.hpp"

#include <functional>
#include <optional>
#include <string>

namespace qlaunch {

struct SshWish {
  std::string user;  // empty: the guest's own, see ssh_user()
  bool forward_agent = false;
  bool share = true;  // false: a connection of the session's own
  std::optional<Duration> timeout;
  std::function<bool()> interrupted = [] { return false; };
  std::function<void(const std::string&)> step = [](const std::string&) {};
};

/// Where and how; `control` is where the shared connection is, or will be. Throws StateError where
/// nothing leads to the guest's port 22.
SshLink ssh_link(const LiveRecord& live, const SshWish& wish);

/// Who logs in where nobody says: `[guest] user`, else root where a credential gives root a key;
/// empty: as ssh itself chooses.
std::string ssh_user(const std::string& vm, const Plan& plan);

/// Sets keys and known_hosts, as they lie in the VM's folder and in the user's home.
void take_keys(SshLink& link, const VmPaths& paths);

/// The system's ssh; throws with the package that has it where there is none.
std::string ssh_program();

/// `$data/NAME/ssh`
std::string ssh_folder(const VmPaths& paths);

enum class SshDoor {
  open,   // sessions can start
  locked  // none of the keys opens it: ssh may ask a person for a password
};

/// Waits for the server, and makes the shared connection where none stands. Where the door is
/// locked, `refusal` is what to tell, and `link` is one by which ssh asks by itself. Throws where
/// the server does not answer in time or shows another host key.
SshDoor open_ssh(SshLink& link, const LiveRecord& live, const SshWish& wish,
                 std::optional<Error>& refusal);

/// A connection to the server, in which nobody has spoken yet. TimeoutError where none comes about.
UniqueFd connect_ssh(const SshLink& link, const SshWish& wish);

/// The file that says that its server cannot keep sessions apart that share a connection.
std::string unshared_mark(const std::string& runtime);

/// So that whatever key the guest shows next is learned.
void forget_host_key(const VmPaths& paths);

/// Ends the shared connections to a VM, of whose guest nothing is to be asked any more. Never
/// throws.
void end_ssh(const std::string& runtime) noexcept;

}  // namespace qlaunch
