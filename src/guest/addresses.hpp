// SPDX-License-Identifier: MIT
// The addresses of a guest: as its agent tells them, or as the host's neighbour table and DHCP
// leases have them. Reads what others say; asks nobody.
#pragma once

#include "qmp/guest.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct GuestAddressFact {
  std::string interface;  // as the guest calls it; empty where nobody says
  std::string mac;        // in small letters; empty where it has none
  std::string address;
  int prefix = 0;  // 0: not known
  bool ipv6 = false;
  std::string by;  // "agent", "arp", "lease"

  bool operator==(const GuestAddressFact&) const = default;
};

struct GuestAddresses {
  std::vector<GuestAddressFact> all;
  std::string time;  // when it was so, in UTC

  bool operator==(const GuestAddresses&) const = default;
};

/// Without the loopback; those of `cards`, the VM's own, before those that the guest has made, and
/// those that lead somewhere before those of the link alone.
std::vector<GuestAddressFact> agent_addresses(const std::vector<qmp::GuestInterface>& interfaces,
                                              const std::vector<std::string>& cards);

/// Out of a table like /proc/net/arp.
std::vector<GuestAddressFact> arp_addresses(std::string_view table,
                                            const std::vector<std::string>& cards);

/// Out of a file of leases: dnsmasq's own, or libvirt's JSON. Those that are over are left out.
std::vector<GuestAddressFact> lease_addresses(std::string_view leases,
                                              const std::vector<std::string>& cards, long long now);

/// Whether a guest with these can be reached from beyond its link.
bool leads_somewhere(const std::vector<GuestAddressFact>& addresses);

std::string addresses_to_json(const GuestAddresses& addresses);
/// Nothing of a text that is none.
GuestAddresses addresses_from_json(std::string_view text);

}  // namespace qlaunch
