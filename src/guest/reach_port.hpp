// SPDX-License-Identifier: MIT
// A TCP connection to a server that may not be up yet. Says nothing over it.
#pragma once

#include "host/files.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace qlaunch {

/// Tries until then, whatever is in the way: a guest that boots has no address, then no server.
/// `host` is an address. Throws TimeoutError with the last reason; Error once `interrupted`.
UniqueFd reach_port(
    const std::string& host, std::uint16_t port, std::chrono::steady_clock::time_point deadline,
    const std::function<bool()>& interrupted = [] { return false; });

}  // namespace qlaunch
