// SPDX-License-Identifier: MIT
#include "vm/guest_address.hpp"

#include "core/text.hpp"
#include "vm/addresses.hpp"
#include "vm/ssh_profile.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

constexpr auto agent_answers_within = std::chrono::seconds(1);

/// The first in their order, IPv4 first: an IPv6 one may be of the link only.
std::string usable_address(const std::vector<GuestAddressFact>& facts,
                           const std::vector<std::string>& cards) {
  const auto usable = [&](const GuestAddressFact& fact) {
    const auto* of_the_link = fact.ipv6 ? "fe80:" : "169.254.";
    return std::find(cards.begin(), cards.end(), lower_ascii(fact.mac)) != cards.end() &&
           !lower_ascii(fact.address).starts_with(of_the_link);
  };
  for (const bool ipv6 : {false, true}) {
    for (const auto& fact : facts) {
      if (fact.ipv6 == ipv6 && usable(fact)) return fact.address;
    }
  }
  return {};
}

}  // namespace

std::string guest_address(const LiveRecord& live) {
  auto cards = reachable_cards(live.name, live.plan.macs);
  if (cards.empty()) return {};
  for (auto& card : cards) card = lower_ascii(card);
  // What was told before costs the agent no turn: it serves one at a time.
  for (const bool asked : {false, true}) {
    const auto told = asked ? ask_addresses(live, agent_answers_within) : read_addresses(live);
    if (!told) continue;
    if (auto address = usable_address(told->all, cards); !address.empty()) return address;
  }
  return usable_address(addresses_on_bridges(cards), cards);
}

}  // namespace qlaunch
