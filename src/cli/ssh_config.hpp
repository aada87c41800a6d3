// SPDX-License-Identifier: MIT
// `qlaunch ssh-config`: VMs as hosts of ssh's own configuration, and `ssh-connect`, by which ssh
// then gets there.
#pragma once

#include "cli/terminal.hpp"

#include <string>

namespace CLI {
class App;
}

namespace qlaunch {

struct SshConfigOptions {
  std::string vm;
  bool install = false, yes = false, json = false;
};

void add_ssh_config(CLI::App& app, SshConfigOptions& options);
int ssh_config(const SshConfigOptions& options, Terminal& terminal);

struct SshConnectOptions {
  std::string vm;
};

void add_ssh_connect(CLI::App& app, SshConnectOptions& options);
int ssh_connect(const SshConnectOptions& options, Terminal& terminal);

}  // namespace qlaunch
