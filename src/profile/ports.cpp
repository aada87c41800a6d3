// SPDX-License-Identifier: MIT
#include "profile/ports.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/syntax.hpp"

namespace qlaunch {
namespace {

constexpr std::string_view forward_hint = "forward needs HOST:GUEST, as in \"2223:22\"";
constexpr std::size_t most_ports_of_a_range = 1024;

/// A port or a range, and where in the text it stands.
struct Ports {
  std::string_view text;
  std::size_t offset = 0;
  PortRange range;
};

std::optional<Problem> read_ports(Ports& ports) {
  const auto wrong = [&](std::string message, std::string help) {
    return Problem{std::move(message), {std::move(help)}, ports.offset, ports.text.size()};
  };
  const auto dash = ports.text.find('-');
  const auto first = parse_unsigned(ports.text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : parse_unsigned(ports.text.substr(dash + 1));
  if (!first || !last)
    return wrong(in_backticks(ports.text) + " is not a port",
                 "a port is a number from 1 to 65535, a range two of them, as in \"8000-8010\"");
  for (const auto port : {*first, *last}) {
    if (port >= 1 && port <= 65535) continue;
    const bool automatic = port == 0;
    return wrong("port " + std::to_string(port) + " is out of range",
                 automatic ? "ports go from 1 to 65535; \"auto\" takes a free one"
                           : "ports go from 1 to 65535");
  }
  if (*first > *last)
    return wrong("the range " + in_backticks(ports.text) + " ends before it begins",
                 "write the lower port first");
  ports.range = {static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
  return std::nullopt;
}

std::size_t count(const PortRange& range) {
  return static_cast<std::size_t>(range.last - range.first) + 1;
}

std::vector<Ports> fields_of(std::string_view text, std::size_t offset) {
  std::vector<Ports> fields;
  for (const auto& part : split(text, ':')) {
    fields.push_back({text.substr(0, part.size()), offset, {}});
    offset += part.size() + 1;
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  return fields;
}

}  // namespace

ParsedForward parse_forward(std::string_view text) {
  ParsedForward result;
  const auto wrong = [&](Problem problem) {
    result.forwards.clear();
    result.problem = std::move(problem);
    return result;
  };
  if (text.find('[') != std::string_view::npos)
    return wrong({in_backticks(text) + " has an IPv6 address, which QEMU's user network refuses",
                  {"use an IPv4 address such as 127.0.0.1, or a bridge"}});

  auto fields = fields_of(text, 0);
  Forward model;
  if (fields.front().text == "tcp" || fields.front().text == "udp") {
    if (fields.front().text == "udp") model.protocol = Protocol::udp;
    fields.erase(fields.begin());
  } else if (fields.size() > 2 && !parse_ipv4(fields.front().text) && fields.size() != 3) {
    return wrong({in_backticks(fields.front().text) + " is not a protocol",
                  {"use \"tcp\" or \"udp\", as in \"udp:5353:53\""},
                  0,
                  fields.front().text.size()});
  }
  if (fields.size() < 2) {
    Problem problem{in_backticks(text) + " is not a forward", {std::string(forward_hint)}};
    if (fields.size() == 1 && parse_unsigned(fields.front().text))
      problem.help.emplace_back("\"auto:" + std::string(fields.front().text) +
                                "\" leads a free port of the host to that of the guest");
    return wrong(std::move(problem));
  }
  if (fields.size() > 3)
    return wrong({in_backticks(text) + " has too many parts",
                  {std::string(forward_hint) + "; all of it is \"udp:127.0.0.1:5353:53\""}});
  if (fields.size() == 3) {
    const auto address = fields.front();
    if (!address.text.empty() && !parse_ipv4(address.text)) {
      Problem problem{in_backticks(address.text) + " is neither a protocol nor an IPv4 address",
                      {"write \"udp:5353:53\" or \"127.0.0.1:2223:22\""},
                      address.offset,
                      address.text.size()};
      if (address.text == "localhost") problem.help = {"write 127.0.0.1"};
      return wrong(std::move(problem));
    }
    // An address left out means all of the host's, as elsewhere; say so explicitly instead.
    if (address.text.empty())
      return wrong({"the address before the first colon of " + in_backticks(text) + " is empty",
                    {"leave the colon out for 127.0.0.1, or write 0.0.0.0 to be reached by other "
                     "machines"}});
    model.host_address = address.text;
    fields.erase(fields.begin());
  }

  auto& host = fields[0];
  auto& guest = fields[1];
  if (auto problem = read_ports(guest)) return wrong(std::move(*problem));
  const bool automatic = host.text == "auto";
  if (!automatic) {
    if (auto problem = read_ports(host)) return wrong(std::move(*problem));
    if (count(host.range) != count(guest.range))
      return wrong({in_backticks(text) + " maps " + std::to_string(count(host.range)) +
                        (count(host.range) == 1 ? " port" : " ports") + " to " +
                        std::to_string(count(guest.range)),
                    {"both ranges need the same length, as in \"8000-8010:8000-8010\""}});
  }
  if (count(guest.range) > most_ports_of_a_range)
    return wrong(
        {in_backticks(text) + " is a range of " + std::to_string(count(guest.range)) + " ports",
         {"a forward takes at most " + std::to_string(most_ports_of_a_range) +
          " ports: each one is a listening socket of QEMU's"}});
  for (std::size_t index = 0; index < count(guest.range); ++index) {
    Forward each = model;
    each.guest_port = static_cast<std::uint16_t>(guest.range.first + index);
    if (!automatic) each.host_port = static_cast<std::uint16_t>(host.range.first + index);
    result.forwards.push_back(std::move(each));
  }
  return result;
}

std::string forward_text(const Forward& forward) {
  std::string out = forward.protocol == Protocol::udp ? "udp:" : "";
  if (forward.host_address != "127.0.0.1") out += forward.host_address + ':';
  out += forward.host_port == 0 ? "auto" : std::to_string(forward.host_port);
  return out + ':' + std::to_string(forward.guest_port);
}

ParsedPorts parse_ports(std::string_view text) {
  Ports ports{text, 0, {}};
  auto problem = read_ports(ports);
  return {ports.range, std::move(problem)};
}

ParsedAutoForward parse_auto_forward(std::string_view text) {
  ParsedAutoForward result;
  auto& rule = result.rule;
  const auto wrong = [&](Problem problem) {
    result.problem = std::move(problem);
    return result;
  };
  std::size_t offset = 0;
  if (text.starts_with('!')) {
    rule.ignore = true;
    offset = 1;
  }
  auto fields = fields_of(text.substr(offset), offset);
  if (fields.front().text == "tcp" || fields.front().text == "udp") {
    rule.protocol = fields.front().text == "udp" ? Protocol::udp : Protocol::tcp;
    fields.erase(fields.begin());
  } else if (!rule.ignore) {
    rule.protocol = Protocol::tcp;
  }
  if (fields.empty() || fields.size() > 2)
    return wrong({in_backticks(text) + " names no ports of the guest",
                  {"write ports as in \"1024-65535\", \"udp:5353\" or \"13000:3000\"; \"!\" before "
                   "them leaves them out"}});
  if (auto problem = read_ports(fields.back())) return wrong(std::move(*problem));
  rule.guest = fields.back().range;
  rule.host_first = rule.guest.first;
  if (fields.size() == 1) return result;
  if (rule.ignore)
    return wrong({"what is left out has no port on the host",
                  {"write the guest's ports alone, as in \"!9000-9099\""},
                  fields.front().offset,
                  fields.front().text.size()});
  if (fields.front().text == "auto") {
    rule.host_first = 0;
    return result;
  }
  if (parse_ipv4(fields.front().text))
    return wrong({"ports that appear by themselves do so on 127.0.0.1 alone",
                  {"leave the address out; `forward` is for other addresses"},
                  fields.front().offset,
                  fields.front().text.size()});
  if (auto problem = read_ports(fields.front())) return wrong(std::move(*problem));
  const auto& host = fields.front().range;
  if (count(host) != count(rule.guest))
    return wrong({in_backticks(text) + " maps " + std::to_string(count(host)) +
                      (count(host) == 1 ? " port" : " ports") + " to " +
                      std::to_string(count(rule.guest)),
                  {"both ranges need the same length, as in \"13000-13010:3000-3010\""}});
  rule.host_first = host.first;
  return result;
}

std::string auto_forward_text(const AutoForward& rule) {
  const auto range = [](unsigned first, unsigned last) {
    return std::to_string(first) + (first == last ? "" : '-' + std::to_string(last));
  };
  std::string out = rule.ignore ? "!" : "";
  if (rule.protocol && (rule.ignore || *rule.protocol == Protocol::udp))
    out += *rule.protocol == Protocol::udp ? "udp:" : "tcp:";
  const auto guest = range(rule.guest.first, rule.guest.last);
  if (rule.ignore || rule.host_first == rule.guest.first) return out + guest;
  if (rule.host_first == 0) return out + "auto:" + guest;
  const unsigned last = rule.host_first + unsigned{rule.guest.last} - rule.guest.first;
  return out + range(rule.host_first, last) + ':' + guest;
}

ParsedReady parse_ready(std::string_view text) {
  using Kind = ReadyWhen::Kind;
  constexpr std::pair<std::string_view, Kind> words[] = {{"ssh", Kind::ssh},
                                                         {"agent", Kind::agent},
                                                         {"provisioned", Kind::provisioned},
                                                         {"started", Kind::started}};
  for (const auto& [word, kind] : words) {
    if (text == word) return {{kind, {}, 0}, {}};
  }
  if (text.starts_with("serial:")) {
    const auto marker = text.substr(7);
    if (marker.empty())
      return {{}, Problem{"`serial:` names no text to wait for", {"write \"serial:login:\""}}};
    return {{Kind::serial, std::string(marker), 0}, {}};
  }
  if (text.starts_with("port:")) {
    Ports ports{text.substr(5), 5, {}};
    if (auto problem = read_ports(ports)) {
      problem->help = {"write one port of the guest, as in \"port:8080\""};
      return {{}, std::move(problem)};
    }
    if (ports.range.first != ports.range.last)
      return {{},
              Problem{in_backticks(text) + " names more than one port",
                      {"write one port of the guest, as in \"port:8080\""},
                      5}};
    return {{Kind::port, {}, ports.range.first}, {}};
  }
  return {{},
          Problem{in_backticks(text) + " is nothing to wait for",
                  {"use \"ssh\", \"agent\", \"provisioned\", \"started\", \"serial:TEXT\" or "
                   "\"port:N\""}}};
}

std::optional<Problem> check_forward(std::string_view text) {
  return parse_forward(text).problem;
}
std::optional<Problem> check_ports(std::string_view text) {
  return parse_ports(text).problem;
}
std::optional<Problem> check_auto_forward(std::string_view text) {
  return parse_auto_forward(text).problem;
}
std::optional<Problem> check_ready(std::string_view text) {
  return parse_ready(text).problem;
}

}  // namespace qlaunch
