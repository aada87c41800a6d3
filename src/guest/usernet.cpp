// SPDX-License-Identifier: MIT
#include "guest/usernet.hpp"

#include "core/text.hpp"

#include <optional>

namespace qlaunch {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (auto& word : split(trim(line), ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

std::optional<std::uint16_t> port(const std::string& word) {
  const auto number = parse_unsigned(word);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

/// "net0" of "Hub -1 (net0):"; nothing for another line.
std::optional<std::string> heading(const std::vector<std::string>& words) {
  if (words.empty() || !words.back().starts_with('(') || !words.back().ends_with("):"))
    return std::nullopt;
  return words.back().substr(1, words.back().size() - 3);
}

}  // namespace

std::vector<std::string> parse_usernet_networks(std::string_view text) {
  std::vector<std::string> networks;
  for (const auto& line : split(text, '\n')) {
    if (auto network = heading(words_of(line))) networks.push_back(std::move(*network));
  }
  return networks;
}

std::vector<UsernetLine> parse_usernet(std::string_view text) {
  // Hub -1 (net0):
  //   Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  //   TCP[HOST_FORWARD]   8       127.0.0.1 36397       10.0.2.15    22     0     0
  std::vector<UsernetLine> lines;
  std::string network;
  for (const auto& line : split(text, '\n')) {
    const auto words = words_of(line);
    if (auto name = heading(words)) {
      network = std::move(*name);
      continue;
    }
    if (words.size() < 6) continue;
    const bool udp = words[0].starts_with("UDP[");
    if ((!udp && !words[0].starts_with("TCP[")) || !words[0].ends_with(']')) continue;
    const auto host_port = port(words[3]);
    const auto guest_port = port(words[5]);
    if (!host_port || !guest_port) continue;
    lines.push_back({network, udp ? Protocol::udp : Protocol::tcp,
                     words[0].substr(4, words[0].size() - 5), words[2], words[4], *host_port,
                     *guest_port});
  }
  return lines;
}

}  // namespace qlaunch
