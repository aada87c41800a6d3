// SPDX-License-Identifier: MIT
// What ssh says when it gets no further, and the file of what a guest's server has shown. Pure:
// texts in, texts out.
#pragma once

#include <string>
#include <string_view>

namespace qlaunch {

enum class SshObstacle {
  host_key,  // the server shows another key than the known one
  login,     // it lets nobody in with what was offered
  no_server  // nobody answers, or not as an ssh server does
};

struct SshFailure {
  SshObstacle obstacle = SshObstacle::no_server;
  std::string said;  // ssh's own last words about it, on one line
};

/// From all that ssh wrote on standard error.
SshFailure read_ssh_failure(std::string_view text);

/// Whether sessions must not share a connection to this server: where one begins while another
/// ends, dropbear closes the wrong one (seen with 2022.83).
bool shares_badly(std::string_view text);

/// A known_hosts file with the key that the guest was given; nobody has seen it shown yet.
std::string given_known_hosts(std::string_view host_public_key);

/// Whether it is such a file: where the guest takes no keys, it shows another at first contact.
bool only_given(std::string_view known_hosts);

/// Whether this key is among those of a known_hosts file.
bool knows_key(std::string_view known_hosts, std::string_view public_key);

/// The same file once the guest has shown that key.
std::string once_shown(std::string_view known_hosts);

}  // namespace qlaunch
