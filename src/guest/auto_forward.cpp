// SPDX-License-Identifier: MIT
#include "guest/auto_forward.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;
using State = AutoPort::State;

constexpr std::pair<State, const char*> state_words[] = {{State::coming, "coming"},
                                                         {State::there, "there"},
                                                         {State::waiting, "waiting"},
                                                         {State::removed, "removed"}};

/// How easily it is reached from outside: by the user network, or only from within the guest.
int distance(const PlannedAutoForward& rules, const Listener& listener) {
  if (listener.address == "0.0.0.0") return 0;
  if (listener.address == rules.guest_address) return 1;
  if (listener.address == "::") return 2;
  if (listener.address == "127.0.0.1") return 3;
  if (on_loopback(listener.address)) return 4;
  // Of an interface that the host knows nothing about, such as one of containers.
  return 5;
}

bool in_range(const PortRange& range, std::uint16_t port) {
  return port >= range.first && port <= range.last;
}

const AutoForward* rule_for(const PlannedAutoForward& rules, const Listener& listener) {
  const AutoForward* found = nullptr;
  for (const auto& rule : rules.rules) {
    if (!in_range(rule.guest, listener.port)) continue;
    if (rule.protocol && *rule.protocol != listener.protocol) continue;
    if (rule.ignore) return nullptr;
    if (found == nullptr) found = &rule;
  }
  return found;
}

const AutoPort* find_port(const std::vector<AutoPort>& ports, const AutoPort& port) {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const auto& each) { return same_guest_port(each, port); });
  return found == ports.end() ? nullptr : &*found;
}

}  // namespace

bool same_guest_port(const AutoPort& left, const AutoPort& right) {
  return left.listener.protocol == right.listener.protocol &&
         left.listener.port == right.listener.port;
}

std::vector<AutoPort> wanted_ports(const PlannedAutoForward& rules,
                                   const std::vector<Listener>& listeners,
                                   const std::vector<PlannedForward>& declared,
                                   const AutoPorts& now) {
  std::vector<const Listener*> nearest;
  nearest.reserve(listeners.size());
  for (const auto& listener : listeners) nearest.push_back(&listener);
  const auto key = [&](const Listener* listener) {
    return std::tuple(listener->protocol, listener->port, distance(rules, *listener));
  };
  std::stable_sort(nearest.begin(), nearest.end(),
                   [&](const auto* left, const auto* right) { return key(left) < key(right); });
  std::vector<AutoPort> wanted;
  for (const auto* listener : nearest) {
    const auto* rule = rule_for(rules, *listener);
    const int far = distance(rules, *listener);
    if (rule == nullptr || far > 4) continue;
    AutoPort port{*listener, 0, far > 2};
    if (!wanted.empty() && same_guest_port(wanted.back(), port)) continue;
    // ssh carries no datagrams.
    if (port.by_ssh && listener->protocol == Protocol::udp) continue;
    if (rule->host_first != 0)
      port.host_port =
          static_cast<std::uint16_t>(rule->host_first + listener->port - rule->guest.first);
    const bool taken_care_of = std::any_of(declared.begin(), declared.end(), [&](const auto& each) {
      return each.forward.protocol == listener->protocol &&
             each.forward.guest_port == listener->port;
    });
    if (taken_care_of && find_port(now.ports, port) == nullptr) continue;
    if (wanted.size() == most_auto_forwards) break;
    wanted.push_back(std::move(port));
  }
  return wanted;
}

AutoChanges changes_to(const AutoPorts& now, const std::vector<AutoPort>& wanted) {
  AutoChanges changes;
  for (const auto& port : now.ports) {
    const auto* still = find_port(wanted, port);
    if (still == nullptr || (port.state != State::removed &&
                             (still->by_ssh != port.by_ssh ||
                              (port.by_ssh && still->listener.address != port.listener.address))))
      changes.remove.push_back(port);
  }
  for (const auto& port : wanted) {
    const auto* there = find_port(now.ports, port);
    const bool going = there != nullptr && find_port(changes.remove, *there) != nullptr;
    if (there == nullptr || going || there->state == State::coming ||
        there->state == State::waiting)
      changes.add.push_back(port);
  }
  return changes;
}

std::string auto_ports_to_json(const AutoPorts& all) {
  Json ports = Json::array();
  for (const auto& port : all.ports) {
    const auto* word = std::find_if(std::begin(state_words), std::end(state_words),
                                    [&](const auto& each) { return each.first == port.state; });
    ports.push_back({{"protocol", port.listener.protocol == Protocol::udp ? "udp" : "tcp"},
                     {"address", port.listener.address},
                     {"port", port.listener.port},
                     {"uid", port.listener.uid},
                     {"host_port", port.host_port},
                     {"by_ssh", port.by_ssh},
                     {"state", word->second},
                     {"why", port.why}});
  }
  return Json{{"ports", ports}, {"by", all.by}, {"problem", all.problem}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

AutoPorts auto_ports_from_json(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  AutoPorts all;
  try {
    for (const auto& each : json.at("ports")) {
      AutoPort port;
      port.listener = {each.at("protocol") == "udp" ? Protocol::udp : Protocol::tcp,
                       each.at("address"), each.at("port"), each.at("uid")};
      port.host_port = each.at("host_port");
      port.by_ssh = each.at("by_ssh");
      for (const auto& [state, word] : state_words) {
        if (each.at("state") == word) port.state = state;
      }
      port.why = each.at("why");
      all.ports.push_back(std::move(port));
    }
    all.by = json.at("by");
    all.problem = json.at("problem");
  } catch (const Json::exception&) {
    return {};
  }
  return all;
}

PlannedForward planned_forward(const AutoPort& port, const std::string& network) {
  PlannedForward planned{
      network, {port.listener.protocol, "127.0.0.1", port.host_port, port.listener.port}, {}};
  planned.listener = port.listener.address;
  planned.by_ssh = port.by_ssh;
  return planned;
}

}  // namespace qlaunch
