// SPDX-License-Identifier: MIT
#include "guest/addresses.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include <arpa/inet.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

/// A guest may tell any number.
constexpr std::size_t most_addresses = 64;

/// 4 or 6; 0 where it is no address.
int family_of(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return 4;
  return inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1 ? 6 : 0;
}

bool of_the_link(const GuestAddressFact& fact) {
  return fact.ipv6 ? lower_ascii(fact.address).starts_with("fe80:")
                   : fact.address.starts_with("169.254.");
}

bool own_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

bool among(const std::string& mac, const std::vector<std::string>& cards) {
  return std::any_of(cards.begin(), cards.end(),
                     [&](const auto& card) { return lower_ascii(card) == mac; });
}

void add_fact(std::vector<GuestAddressFact>& all, GuestAddressFact fact) {
  const int family = family_of(fact.address);
  if (family == 0 || own_loopback(fact.address) || all.size() == most_addresses) return;
  fact.ipv6 = family == 6;
  // Words of the guest's, of any length it likes.
  constexpr std::size_t longest = 64;
  if (fact.interface.size() > longest) fact.interface.resize(longest);
  if (fact.mac.size() > longest) fact.mac.resize(longest);
  if (fact.prefix < 0 || fact.prefix > (fact.ipv6 ? 128 : 32)) fact.prefix = 0;
  if (std::find(all.begin(), all.end(), fact) == all.end()) all.push_back(std::move(fact));
}

std::vector<std::string> words_in(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; words.size() < 8 && stream >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

std::vector<GuestAddressFact> agent_addresses(const std::vector<qmp::GuestInterface>& interfaces,
                                              const std::vector<std::string>& cards) {
  std::vector<GuestAddressFact> all;
  for (const auto& interface : interfaces) {
    for (const auto& address : interface.addresses)
      add_fact(all, {interface.name, lower_ascii(interface.mac), address.address, address.prefix,
                     false, "agent"});
  }
  const auto order = [&](const GuestAddressFact& fact) {
    return std::tuple(!among(fact.mac, cards), of_the_link(fact), fact.ipv6);
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& left, const auto& right) { return order(left) < order(right); });
  return all;
}

std::vector<GuestAddressFact> arp_addresses(std::string_view table,
                                            const std::vector<std::string>& cards) {
  std::vector<GuestAddressFact> all;
  for (const auto& line : split(table, '\n')) {
    // IP address  HW type  Flags  HW address  Mask  Device
    const auto words = words_in(line);
    // Without flags it is one that nobody has answered for.
    if (words.size() < 6 || words[2] == "0x0" || !among(lower_ascii(words[3]), cards)) continue;
    add_fact(all, {"", lower_ascii(words[3]), words[0], 0, false, "arp"});
  }
  return all;
}

std::vector<GuestAddressFact> lease_addresses(std::string_view leases,
                                              const std::vector<std::string>& cards,
                                              long long now) {
  std::vector<GuestAddressFact> all;
  const auto add = [&](long long until, const std::string& mac, const std::string& address) {
    // Without an end it lasts for ever.
    if ((until == 0 || until > now) && among(lower_ascii(mac), cards))
      add_fact(all, {"", lower_ascii(mac), address, 0, false, "lease"});
  };
  if (trim(leases).starts_with('[')) {
    const auto json = Json::parse(leases, nullptr, false);
    for (const auto& lease : json.is_array() ? json : Json::array()) {
      try {
        add(lease.value("expiry-time", 0LL), lease.at("mac-address"), lease.at("ip-address"));
      } catch (const Json::exception&) {  // NOLINT(bugprone-empty-catch)
        // Some other program's file.
      }
    }
    return all;
  }
  for (const auto& line : split(leases, '\n')) {
    // expiry MAC address name client-id
    const auto words = words_in(line);
    const auto until = words.size() < 3 ? std::nullopt : parse_unsigned(words[0]);
    if (until) add(static_cast<long long>(*until), words[1], words[2]);
  }
  return all;
}

bool leads_somewhere(const std::vector<GuestAddressFact>& addresses) {
  return !std::all_of(addresses.begin(), addresses.end(), of_the_link);
}

std::string addresses_to_json(const GuestAddresses& addresses) {
  Json all = Json::array();
  for (const auto& fact : addresses.all)
    all.push_back({{"interface", fact.interface},
                   {"mac", fact.mac},
                   {"address", fact.address},
                   {"prefix", fact.prefix},
                   {"by", fact.by}});
  return Json{{"addresses", all}, {"time", addresses.time}}.dump(-1, ' ', false,
                                                                 Json::error_handler_t::replace);
}

GuestAddresses addresses_from_json(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  GuestAddresses addresses;
  try {
    for (const auto& fact : json.at("addresses"))
      add_fact(addresses.all, {fact.at("interface"), fact.at("mac"), fact.at("address"),
                               fact.at("prefix"), false, fact.at("by")});
    addresses.time = json.at("time");
  } catch (const Json::exception&) {
    return {};
  }
  return addresses;
}

}  // namespace qlaunch
