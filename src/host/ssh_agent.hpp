// SPDX-License-Identifier: MIT
// Which public keys the user's ssh agent holds. Asks for no signature, and starts no agent.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// Lines as in authorized_keys, of the agent behind this socket; none where nobody answers in time
/// or what answers is no agent.
std::vector<std::string> agent_keys(const std::string& socket, std::chrono::milliseconds patience);

/// Those in an agent's answer (SSH_AGENT_IDENTITIES_ANSWER) without its length; none where it is
/// something else.
std::vector<std::string> parse_agent_answer(std::string_view answer);

}  // namespace qlaunch
