// SPDX-License-Identifier: MIT
// The Debian guest as tests use it: the head of a profile for it, and ssh into it with the keys
// that qlaunch made. Knows nothing of what a test is about.
#pragma once

#include "support/run.hpp"

#include <map>
#include <string>

namespace debian {

/// Keys with dots and the root disk; a [guest] stands behind it. Without an agent it waits until it
/// is provisioned; with one it has no cloud-init, and waits for the agent.
std::string profile_head(const std::string& name, const std::string& folder, bool agent = false);

/// By the VM's own key, and to no server but the one with the host key that the volume gave.
test::Result ssh(const test::Home& home, const std::string& vm, const std::string& user,
                 const std::string& script);

/// Lines `NAME=VALUE` of a script's output.
std::map<std::string, std::string> facts(const std::string& output);

}  // namespace debian
