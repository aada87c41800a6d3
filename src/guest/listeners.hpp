// SPDX-License-Identifier: MIT
// What listens in a Linux guest, out of the texts of its /proc/net/tcp, tcp6, udp and udp6.
// Reads text that a guest may have made up; asks no guest.
#pragma once

#include "profile/profile.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct Listener {
  Protocol protocol = Protocol::tcp;
  std::string address;  // "0.0.0.0", "127.0.0.1", "::", "::1" …
  std::uint16_t port = 0;
  std::uint32_t uid = 0;  // of whoever opened it

  bool operator==(const Listener&) const = default;
};

/// One of the four files. Lines that are none of the kernel's, or cut off, are left out. The guest
/// has the byte order of an x86.
std::vector<Listener> parse_listeners(std::string_view text, Protocol protocol);

/// Whether a text of /proc/net/tcp or tcp6 has come to the connections: the kernel lists all
/// listeners before them, so that the rest need not be read.
bool past_listeners(std::string_view text);

/// Whether only the guest itself can reach it.
bool on_loopback(const std::string& address);
/// Whether all of the guest's addresses lead to it.
bool on_any_address(const std::string& address);

}  // namespace qlaunch
