// SPDX-License-Identifier: MIT
// What both clients of the guest agent say and send alike.
// Does not talk to it.
#pragma once

#include "qmp/error.hpp"
#include "qmp/guest.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

/// For a sync: not guessable by a guest that would like its stale replies believed.
std::uint32_t fresh_id();

Timeout agent_absent();
Timeout agent_late(std::string_view command);
/// An empty cause is one that nobody knows.
Gone agent_gone(std::string_view command, std::string cause);

nlohmann::json shutdown_arguments(GuestShutdown how);
/// How long a refusal of a shutdown is listened for: the agent answers at once, or not at all.
inline constexpr std::chrono::milliseconds shutdown_window{500};

}  // namespace qmp
