// SPDX-License-Identifier: MIT
// QEMU's table of its user networks, which only the human monitor tells. Reads text, asks nobody.
#pragma once

#include "profile/profile.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// One line of `info usernet`. For a forward, and for a connection that came through one, `host` is
/// the forward's own side and `guest` the port in the guest.
struct UsernetLine {
  std::string network;  // the netdev's id
  Protocol protocol = Protocol::tcp;
  std::string state;  // "HOST_FORWARD", "ESTABLISHED", "SYN_SENT" …
  std::string host_address, guest_address;
  std::uint16_t host_port = 0, guest_port = 0;
};

/// The netdevs of all user networks, in QEMU's order.
std::vector<std::string> parse_usernet_networks(std::string_view text);

std::vector<UsernetLine> parse_usernet(std::string_view text);

}  // namespace qlaunch
