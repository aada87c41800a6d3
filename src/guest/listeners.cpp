// SPDX-License-Identifier: MIT
#include "guest/listeners.hpp"

#include "core/text.hpp"

#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace qlaunch {
namespace {

// The kernel's numbers for the state of a socket.
constexpr std::string_view listening = "0A";
constexpr std::string_view unconnected = "07";
/// A guest with more sockets than this says nothing that is worth the time.
constexpr std::size_t most_listeners = 4096;

template <class Number>
std::optional<Number> number_of(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The first ten fields of a line; fewer where it has not so many.
std::size_t fields_of_line(std::string_view line, std::array<std::string_view, 10>& fields) {
  std::size_t count = 0;
  while (count < fields.size()) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    fields[count++] = line.substr(0, end);
    line.remove_prefix(end);
  }
  return count;
}

/// "0100007F" is 127.0.0.1: words of the guest's byte order, each in eight digits.
std::optional<std::string> address_of(std::string_view digits) {
  const bool four = digits.size() == 8;
  if (!four && digits.size() != 32) return std::nullopt;
  std::array<unsigned char, 16> bytes{};
  for (std::size_t word = 0; word < digits.size() / 8; ++word) {
    const auto value = number_of<std::uint32_t>(digits.substr(word * 8, 8), 16);
    if (!value) return std::nullopt;
    for (unsigned byte = 0; byte < 4; ++byte)
      bytes[word * 4 + byte] = static_cast<unsigned char>(*value >> (8 * byte) & 0xffU);
  }
  // An IPv4 socket in IPv6 clothes.
  constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool inside = !four && std::equal(mapped.begin(), mapped.end(), bytes.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* from = inside ? &bytes[12] : bytes.data();
  inet_ntop(four || inside ? AF_INET : AF_INET6, from, text.data(), text.size());
  return std::string(text.data());
}

struct End {
  std::string address;
  std::uint16_t port = 0;
};

std::optional<End> end_of(std::string_view field) {
  const auto colon = field.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto address = address_of(field.substr(0, colon));
  const auto digits = field.substr(colon + 1);
  const auto port = digits.size() == 4 ? number_of<std::uint16_t>(digits, 16) : std::nullopt;
  if (!address || !port) return std::nullopt;
  return End{std::move(*address), *port};
}

/// Whether the line begins as the kernel's do: "  12: ".
bool numbered(std::string_view field) {
  return field.size() > 1 && field.back() == ':' &&
         number_of<std::uint32_t>(field.substr(0, field.size() - 1), 10);
}

template <class Look>
void for_each_line(std::string_view text, Look look) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    // What no newline ends may be cut off in a number.
    if (end == std::string_view::npos || !look(text.substr(0, end))) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<Listener> parse_listeners(std::string_view text, Protocol protocol) {
  //   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout
  //   inode
  //    0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17
  std::vector<Listener> found;
  for_each_line(text, [&](std::string_view line) {
    std::array<std::string_view, 10> fields;
    if (fields_of_line(line, fields) < 8 || !numbered(fields[0])) return true;
    if (fields[3] != (protocol == Protocol::tcp ? listening : unconnected)) return true;
    auto local = end_of(fields[1]);
    const auto remote = end_of(fields[2]);
    const auto uid = number_of<std::uint32_t>(fields[7], 10);
    if (!local || local->port == 0 || !remote || remote->port != 0 || !uid) return true;
    found.push_back({protocol, std::move(local->address), local->port, *uid});
    return found.size() < most_listeners;
  });
  return found;
}

bool past_listeners(std::string_view text) {
  bool past = false;
  for_each_line(text, [&](std::string_view line) {
    std::array<std::string_view, 10> fields;
    past = fields_of_line(line, fields) >= 4 && numbered(fields[0]) && fields[3] != listening;
    return !past;
  });
  return past;
}

bool on_loopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.");
}

bool on_any_address(const std::string& address) {
  return address == "0.0.0.0" || address == "::";
}

}  // namespace qlaunch
