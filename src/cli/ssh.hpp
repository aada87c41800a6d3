// SPDX-License-Identifier: MIT
// `qlaunch ssh`: a shell or a command in a guest. The session itself is the system's ssh.
#pragma once

#include "cli/terminal.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace qlaunch {

struct SshOptions {
  std::string target;
  std::vector<std::string> words;
  std::vector<std::string> local_forwards, remote_forwards, dynamic_forwards, options;
  bool forward_agent = false;
  int want_terminal = 0;  // how often -t was given
  bool no_terminal = false;
  bool no_command = false;
  bool no_share = false;
  bool accept_host_key = false;
  std::string workdir;
  std::optional<Duration> timeout;
};

void add_ssh(CLI::App& app, SshOptions& options);
int ssh(const SshOptions& options, Terminal& terminal);

}  // namespace qlaunch
