// SPDX-License-Identifier: MIT
// A way to a guest's ssh server, and the command lines and configuration that take it. Pure: starts
// nothing and reads no file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qlaunch {

/// The name by which the VM's known_hosts file knows its guest: the same after a rename.
constexpr std::string_view guest_host_key_alias = "qlaunch-guest";

struct SshLink {
  std::string alias;  // what ssh calls it: "qlaunch-web"
  std::string host;   // "127.0.0.1", or the guest's address on a bridge
  std::uint16_t port = 22;
  std::string user;         // empty: as ssh itself chooses
  std::string known_hosts;  // the VM's own file
  /// A key is in there: no other is accepted. Else the one that the guest shows is learned.
  bool host_key_known = false;
  std::vector<std::string> keys;  // private keys to offer; empty: as ssh itself chooses
  bool only_these_keys = false;   // none of the agent's others: servers count, and hang up
  bool forward_agent = false;
  std::string control;  // the socket of the connection that sessions share; empty: none
  /// Runs in place of a connection by host and port, and hands ssh a connected descriptor.
  std::vector<std::string> connector;
};

/// "qlaunch-web"
std::string ssh_alias(std::string_view vm);

/// Name and value as ssh_config(5) has them, values quoted where they need it. The user's own
/// configuration is not read beside them.
std::vector<std::pair<std::string, std::string>> ssh_settings(const SshLink& link);

enum class WantTerminal { automatic, yes, forced, no };

struct SshSession {
  WantTerminal terminal = WantTerminal::automatic;
  bool no_command = false;                                                     // -N
  std::vector<std::string> local_forwards, remote_forwards, dynamic_forwards;  // -L, -R, -D
  std::vector<std::string> options;                                            // -o
  std::string command;  // for the shell there; empty: none
};

std::vector<std::string> ssh_argv(const std::string& program, const SshLink& link,
                                  const SshSession& session);

/// Makes the shared connection, asks nobody anything, and goes on in the background once it stands,
/// until no session has used it for a while. ssh gives up connecting after `seconds`. Until then it
/// says on standard error what it does, for shares_badly() and read_ssh_failure().
std::vector<std::string> ssh_master_argv(const std::string& program, const SshLink& link,
                                         int seconds);

/// Connects and has the server show its host key; asks for nothing more, so that it most likely
/// ends with a refused login.
std::vector<std::string> ssh_greeting_argv(const std::string& program, const SshLink& link,
                                           int seconds);

/// Ends the shared connection at this socket, and all sessions of it.
std::vector<std::string> ssh_exit_argv(const std::string& program, const std::string& control);

/// The same without its sessions: it takes no more of them, and its socket goes.
std::vector<std::string> ssh_stop_argv(const std::string& program, const std::string& control);

/// Asks the server something through that connection, and ends with whatever it answers. Runs
/// nothing in the guest.
std::vector<std::string> ssh_ask_argv(const std::string& program, const std::string& control);

/// A `Host` block for ssh_config(5).
std::string ssh_host_block(const SshLink& link);

/// A file's path as ssh_config(5) reads it back. Throws Error where it cannot be written so.
std::string ssh_path(const std::string& path);

}  // namespace qlaunch
