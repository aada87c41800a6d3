// SPDX-License-Identifier: MIT
#include "guest/auto_forward.hpp"

#include "profile/ports.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using State = AutoPort::State;

namespace {

PlannedAutoForward rules(const std::vector<std::string>& texts) {
  PlannedAutoForward planned{"net0", {}, TakenPort::skip, "10.0.2.15"};
  for (const auto& text : texts) {
    const auto parsed = parse_auto_forward(text);
    REQUIRE_FALSE(parsed.problem);
    CHECK(auto_forward_text(parsed.rule) == text);
    planned.rules.push_back(parsed.rule);
  }
  return planned;
}

Listener tcp(const std::string& address, std::uint16_t port) {
  return {Protocol::tcp, address, port, 0};
}

/// "PORT>HOST", with "s" behind it for ssh.
std::string words(const std::vector<AutoPort>& ports) {
  std::string out;
  for (const auto& port : ports)
    out += (out.empty() ? "" : " ") +
           std::string(port.listener.protocol == Protocol::udp ? "udp" : "") +
           std::to_string(port.listener.port) + '>' + std::to_string(port.host_port) +
           (port.by_ssh ? "s" : "");
  return out;
}

std::string wanted(const std::vector<std::string>& texts, const std::vector<Listener>& listeners) {
  return words(wanted_ports(rules(texts), listeners, {}, {}));
}

AutoPort port_of(std::uint16_t port, State state, std::uint16_t host = 0, bool by_ssh = false) {
  return {tcp(by_ssh ? "127.0.0.1" : "0.0.0.0", port), host == 0 ? port : host, by_ssh, state, ""};
}

}  // namespace

TEST_CASE("rules say which of the guest's ports are wanted, and where") {
  const std::vector<Listener> listeners{tcp("0.0.0.0", 22),  tcp("0.0.0.0", 3000),
                                        tcp("::", 8001),     tcp("0.0.0.0", 9001),
                                        tcp("0.0.0.0", 443), {Protocol::udp, "0.0.0.0", 5353, 0}};
  CHECK(wanted({"1024-65535"}, listeners) == "3000>3000 8001>8001 9001>9001");
  CHECK(wanted({"1024-65535", "!9000-9099"}, listeners) == "3000>3000 8001>8001");
  CHECK(wanted({"!9000-9099", "8443:443", "auto:22"}, listeners) == "22>0 443>8443");
  CHECK(wanted({"18000-18099:8000-8099", "1024-65535"}, listeners) ==
        "3000>3000 8001>18001 9001>9001");
  CHECK(wanted({"udp:1-65535"}, listeners) == "udp5353>5353");
  CHECK(wanted({"udp:1-65535", "3000", "!udp:5353"}, listeners) == "3000>3000");
  CHECK(wanted({"1-65535", "udp:5353", "!tcp:1024-65535"}, listeners) ==
        "22>22 443>443 udp5353>5353");
  CHECK(wanted({"1024-65535"}, {}).empty());
}

TEST_CASE("a port is reached by the shortest way, whatever order the listeners come in") {
  const auto range = std::vector<std::string>{"1024-65535"};
  CHECK(wanted(range, {tcp("::1", 3000), tcp("127.0.0.1", 3000)}) == "3000>3000s");
  CHECK(wanted(range, {tcp("127.0.0.1", 3000), tcp("::", 3000)}) == "3000>3000");
  CHECK(wanted(range, {tcp("10.0.2.15", 3000)}) == "3000>3000");
  // Of an interface that QEMU leads nothing to.
  CHECK(wanted(range, {tcp("172.17.0.1", 3000), tcp("fe80::1", 3001)}).empty());
  CHECK(wanted({"udp:1-65535"}, {{Protocol::udp, "127.0.0.53", 53, 0}}).empty());
  const auto both = wanted_ports(rules(range), {tcp("::1", 3000), tcp("127.0.0.1", 3000)}, {}, {});
  CHECK(both.front().listener.address == "127.0.0.1");
}

TEST_CASE("what is forwarded by name does not appear a second time") {
  const std::vector<Listener> listeners{tcp("0.0.0.0", 22), tcp("0.0.0.0", 80)};
  const std::vector<PlannedForward> declared{{"net0", {Protocol::tcp, "127.0.0.1", 2222, 22}, {}}};
  CHECK(words(wanted_ports(rules({"1-65535"}), listeners, declared, {})) == "80>80");
  // One that had appeared before stays for those who use it.
  AutoPorts now;
  now.ports = {port_of(22, State::there)};
  CHECK(words(wanted_ports(rules({"1-65535"}), listeners, declared, now)) == "22>22 80>80");
}

TEST_CASE("a guest that claims to listen everywhere gets a bounded number of ports") {
  std::vector<Listener> listeners;
  for (int port = 1024; port < 4096; ++port)
    listeners.push_back(tcp("0.0.0.0", static_cast<std::uint16_t>(port)));
  CHECK(wanted_ports(rules({"1-65535"}), listeners, {}, {}).size() == most_auto_forwards);
}

TEST_CASE("what changes follows from what is there") {
  AutoPorts now;
  now.ports = {port_of(3000, State::there),   port_of(3001, State::there),
               port_of(3002, State::waiting), port_of(3003, State::removed),
               port_of(3004, State::coming),  port_of(3005, State::removed)};
  const std::vector<AutoPort> want{port_of(3000, State::coming), port_of(3002, State::coming),
                                   port_of(3003, State::coming), port_of(3004, State::coming),
                                   port_of(3006, State::coming)};
  auto changes = changes_to(now, want);
  CHECK(words(changes.remove) == "3001>3001 3005>3005");
  CHECK(words(changes.add) == "3002>3002 3004>3004 3006>3006");
  changes = changes_to(now, {});
  CHECK(changes.remove.size() == now.ports.size());
  CHECK(changes.add.empty());
  // From the loopback to any address: by another way from now on.
  now.ports = {port_of(3000, State::there, 3000, true)};
  changes = changes_to(now, {port_of(3000, State::coming)});
  CHECK(words(changes.remove) == "3000>3000s");
  CHECK(words(changes.add) == "3000>3000");
  // A port that it was given stays, whatever was wanted.
  now.ports = {port_of(3000, State::there, 41234)};
  changes = changes_to(now, {port_of(3000, State::coming)});
  CHECK(changes.remove.empty());
  CHECK(changes.add.empty());
}

TEST_CASE("the file of ports gives back what was written, and nothing of garbage") {
  AutoPorts all;
  all.ports = {port_of(3000, State::there, 41234), port_of(3001, State::waiting, 0, true),
               port_of(3002, State::coming), port_of(3003, State::removed)};
  all.ports[1].why = "port `3001` is taken\nby \"x\" \xff";
  all.by = "agent";
  all.problem = "none";
  auto back = auto_ports_from_json(auto_ports_to_json(all));
  CHECK(back.ports[1].why == "port `3001` is taken\nby \"x\" \xef\xbf\xbd");
  back.ports[1].why = all.ports[1].why;
  CHECK(back == all);
  const auto text = auto_ports_to_json(all);
  for (std::size_t length = 0; length < text.size(); length += 7)
    CHECK(auto_ports_from_json(text.substr(0, length)) == AutoPorts{});
  for (const auto* wrong : {"", "{}", "[]", "{\"ports\":1}", "{\"ports\":[{}]}",
                            "{\"ports\":[{\"port\":\"x\"}],\"by\":1,\"problem\":2}"})
    CHECK(auto_ports_from_json(wrong) == AutoPorts{});
}

TEST_CASE("a rule that says nothing useful is refused with a way out") {
  const auto problem = [](std::string_view text) {
    const auto parsed = parse_auto_forward(text);
    return parsed.problem ? parsed.problem->message : std::string();
  };
  CHECK(problem("") == "`` is not a port");
  CHECK(problem("!") == "`` is not a port");
  CHECK(problem("udp") == "`udp` names no ports of the guest");
  CHECK(problem("1:2:3") == "`1:2:3` names no ports of the guest");
  CHECK(problem("0-10") == "port 0 is out of range");
  CHECK(problem("10-5") == "the range `10-5` ends before it begins");
  CHECK(problem("1024-70000") == "port 70000 is out of range");
  CHECK(problem("80-82:8080") == "`80-82:8080` maps 3 ports to 1");
  CHECK(problem("!80:8080") == "what is left out has no port on the host");
  CHECK(problem("0.0.0.0:8080") == "ports that appear by themselves do so on 127.0.0.1 alone");
  CHECK(problem("auto:1-65535").empty());
  CHECK(problem("!!80") == "`!80` is not a port");
}
