// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/syntax.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::optional<Problem> endpoint(std::string_view text, bool address_needed) {
  const auto colon = text.rfind(':');
  const Problem form{in_backticks(text) + " is not an address and a port",
                     {"write ADDRESS:PORT, as in \"127.0.0.1:4000\""}};
  if (colon == std::string_view::npos) return form;
  const auto address = text.substr(0, colon);
  const auto port = parse_unsigned(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535)
    return Problem{in_backticks(text.substr(colon + 1)) + " is not a port",
                   {"a port is a number from 1 to 65535"},
                   colon + 1};
  if (address.empty()) return address_needed ? std::optional(form) : std::nullopt;
  if (parse_ipv4(address) || (address.starts_with('[') && address.ends_with(']')))
    return std::nullopt;
  if (auto problem = check_hostname(address)) {
    problem->message = in_backticks(address) + " is neither an address nor a host's name";
    problem->offset = 0;
    problem->length = address.size();
    return problem;
  }
  return std::nullopt;
}

std::string ipv4_text(std::uint32_t address) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (!out.empty()) out += '.';
    out += std::to_string((address >> static_cast<unsigned>(shift)) & 0xffU);
  }
  return out;
}

}  // namespace

std::optional<Problem> check_url(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://", "file://"}) {
    if (text.starts_with(scheme) && text.size() > scheme.size()) {
      if (text.find_first_of(" \t\n\r") == std::string_view::npos) return check_one_line(text);
      return Problem{"a URL has no spaces", {"write a space as %20"}, text.find(' '), 1};
    }
  }
  return Problem{in_backticks(text) + " is not a URL",
                 {"write https://…, http://… or file://…; a file of this machine goes to `base` or "
                  "`image` of the [[disk]]"}};
}

std::optional<Problem> check_mac(std::string_view text) {
  constexpr std::string_view form = "xx:xx:xx:xx:xx:xx";
  bool right = text.size() == form.size();
  for (std::size_t index = 0; right && index < form.size(); ++index)
    right = form[index] == 'x' ? is_hexadecimal(text[index]) : text[index] == ':';
  if (!right)
    return Problem{in_backticks(text) + " is not a MAC address",
                   {"write six pairs of hexadecimal digits, as in \"52:54:00:12:34:56\""}};
  if (text == "00:00:00:00:00:00")
    return Problem{"a MAC address of zeros is no address", {"leave `mac` out to have one made"}};
  constexpr std::string_view odd = "13579bdfBDF";
  if (odd.find(text[1]) != std::string_view::npos)
    return Problem{in_backticks(text) + " is a multicast address",
                   {"the first pair has to be even, as in \"52:54:00:12:34:56\""},
                   0,
                   2};
  return std::nullopt;
}

std::optional<Problem> check_hostname(std::string_view text) {
  constexpr std::string_view rule =
      "a host's name is letters, digits and `-` in parts of 1 to 63, joined by dots";
  if (text.empty()) return Problem{"the name is empty", {std::string(rule)}};
  if (auto problem = only_characters(text, ".-", std::string(rule))) return problem;
  std::size_t offset = 0;
  for (const auto& part : split(text, '.')) {
    if (part.empty() || part.size() > 63 || part.front() == '-' || part.back() == '-')
      return Problem{in_backticks(text) + " is not a host's name",
                     {std::string(rule) + ", and no part begins or ends with `-`"},
                     offset,
                     std::max<std::size_t>(part.size(), 1)};
    offset += part.size() + 1;
  }
  if (text.size() > 253)
    return Problem{"the name is longer than 253 characters", {std::string(rule)}};
  return std::nullopt;
}

std::optional<Problem> check_interface(std::string_view text) {
  constexpr std::string_view rule =
      "a network interface's name is 1 to 15 characters, as `ip link` shows it";
  if (text.empty() || text.size() > 15)
    return Problem{in_backticks(text) + " is " + std::to_string(text.size()) + " characters long",
                   {std::string(rule)}};
  return only_characters(text, "._-", std::string(rule));
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (const auto& part : parts) {
    // A leading zero means octal to some readers.
    const auto number = parse_unsigned(part);
    if (!number || *number > 255 || part.size() > 3 || (part.size() > 1 && part[0] == '0'))
      return std::nullopt;
    address = (address << 8U) | static_cast<std::uint32_t>(*number);
  }
  return address;
}

std::optional<Problem> check_ipv4(std::string_view text) {
  if (parse_ipv4(text)) return std::nullopt;
  return Problem{in_backticks(text) + " is not an IPv4 address",
                 {"write four numbers from 0 to 255, as in \"10.0.2.3\""}};
}

std::optional<Problem> check_subnet(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ipv4(text.substr(0, slash));
  const auto bits =
      slash == std::string_view::npos ? std::nullopt : parse_unsigned(text.substr(slash + 1));
  if (!address || !bits || *bits < 8 || *bits > 28)
    return Problem{in_backticks(text) + " is not a subnet",
                   {"write an IPv4 network and 8 to 28 bits, as in \"10.0.2.0/24\""}};
  const std::uint32_t mask = ~std::uint32_t{0} << (32U - static_cast<unsigned>(*bits));
  if ((*address & ~mask) != 0)
    return Problem{
        in_backticks(text) + " is the address of a host",
        {"the network is \"" + ipv4_text(*address & mask) + '/' + std::to_string(*bits) + '"'}};
  return std::nullopt;
}

std::optional<Problem> check_endpoint(std::string_view text) {
  return endpoint(text, false);
}
std::optional<Problem> check_peer(std::string_view text) {
  return endpoint(text, true);
}

std::optional<Problem> check_multicast(std::string_view text) {
  if (auto problem = endpoint(text, true)) return problem;
  const auto address = parse_ipv4(text.substr(0, text.rfind(':')));
  if (address && (*address >> 28U) == 0xe) return std::nullopt;
  return Problem{in_backticks(text.substr(0, text.rfind(':'))) + " is not a multicast address",
                 {"use one from 224.0.0.0 to 239.255.255.255, as in \"230.0.0.1:4000\""},
                 0,
                 text.rfind(':')};
}

}  // namespace qlaunch
