// SPDX-License-Identifier: MIT
// Unix sockets that nobody else can open or steal, and who owns a port. Speaks no protocol.
#pragma once

#include "host/files.hpp"
#include "profile/profile.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace qlaunch {

/// A listening stream socket, 0600 from its first moment, CLOEXEC. What a dead one left behind at
/// the path is removed; a live socket, another user's, or anything that is no socket is an Error.
UniqueFd listen_unix(const std::string& path, int backlog = 16);

/// Connected, CLOEXEC, blocking. Throws; see try_connect_unix.
UniqueFd connect_unix(const std::string& path);

/// Empty where nobody listens; `error` is then an errno value.
UniqueFd try_connect_unix(const std::string& path, int* error = nullptr);

/// Waits until the socket exists and is listened on, woken by the kernel; false at the deadline or
/// when `pidfd` (where not -1) says that the process that would make it has ended.
bool wait_for_socket(const std::string& path, int pidfd,
                     std::chrono::steady_clock::time_point deadline);

struct PortOwner {
  pid_t pid = 0;        // 0: cannot be told (another user's)
  std::string program;  // empty: cannot be told
};

/// Who holds this port in a way that keeps others from binding it on `address` (a wildcard too).
std::optional<PortOwner> port_owner(Protocol protocol, const std::string& address,
                                    std::uint16_t port);

/// A TCP port of 127.0.0.1 that nobody has at this moment.
std::uint16_t free_port();

/// Whether QEMU's user network could bind it now; tried with SO_REUSEADDR as libslirp does. Only
/// IPv4 addresses, empty is 127.0.0.1. Throws where the address is none of this host's.
bool port_free(Protocol protocol, const std::string& address, std::uint16_t port);

}  // namespace qlaunch
