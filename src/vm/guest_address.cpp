// SPDX-License-Identifier: MIT
#include "vm/guest_address.hpp"

#include "core/text.hpp"
#include "host/files.hpp"
#include "vm/agent_socket.hpp"
#include "vm/ssh_profile.hpp"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr auto agent_answers_within = std::chrono::seconds(1);

bool among(const std::string& mac, const std::vector<std::string>& cards) {
  return std::find(cards.begin(), cards.end(), lower_ascii(mac)) != cards.end();
}

/// IPv4 first: an IPv6 one may be of the link only.
std::string usable_address(const Json& interface) {
  std::string six;
  for (const auto& entry : interface.value("ip-addresses", Json::array())) {
    const auto address = entry.value("ip-address", "");
    if (entry.value("ip-address-type", "") == "ipv4" && !address.starts_with("169.254."))
      return address;
    if (six.empty() && !lower_ascii(address).starts_with("fe80:")) six = address;
  }
  return six;
}

std::string told_by_agent(const LiveRecord& live, const std::vector<std::string>& cards) {
  if (live.plan.descriptor("agent") == nullptr) return {};
  try {
    qmp::AgentOptions options;
    options.reply = agent_answers_within;
    AgentSocket socket(live, agent_answers_within, options);
    for (const auto& interface : socket.agent().execute("guest-network-get-interfaces")) {
      if (!among(interface.value("hardware-address", ""), cards)) continue;
      if (auto address = usable_address(interface); !address.empty()) return address;
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // No agent, or one that says something else.
  }
  return {};
}

}  // namespace

std::string address_in_arp(std::string_view table, const std::vector<std::string>& cards) {
  for (const auto& line : split(table, '\n')) {
    std::istringstream words(line);
    std::string address, type, flags, mac;
    // Without flags an entry is one that nobody has answered.
    if (words >> address >> type >> flags >> mac && flags != "0x0" && among(mac, cards))
      return address;
  }
  return {};
}

std::string guest_address(const LiveRecord& live) {
  auto cards = reachable_cards(live.name, live.plan.macs);
  if (cards.empty()) return {};
  for (auto& card : cards) card = lower_ascii(card);
  if (auto told = told_by_agent(live, cards); !told.empty()) return told;
  return address_in_arp(try_read_file("/proc/net/arp").value_or(""), cards);
}

}  // namespace qlaunch
