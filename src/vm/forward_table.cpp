// SPDX-License-Identifier: MIT
#include "vm/forward_table.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/usernet.hpp"
#include "profile/ports.hpp"
#include "vm/auto_ports.hpp"

#include <algorithm>

namespace qlaunch {

std::string host_end(const Forward& forward) {
  return (forward.protocol == Protocol::udp ? "udp:" : "tcp:") + forward.host_address + ':' +
         std::to_string(forward.host_port);
}

bool same_end(const Forward& left, const Forward& right) {
  return left.protocol == right.protocol && left.host_address == right.host_address &&
         left.host_port == right.host_port;
}

ForwardTable::ForwardTable(LiveRecord live, Duration timeout)
    : live_(std::move(live)), socket_(live_, timeout) {
  text_ = socket_.client().human_monitor("info usernet");
}

std::vector<PlannedForward> ForwardTable::forwards() const {
  std::vector<PlannedForward> all;
  for (const auto& line : parse_usernet(text_)) {
    if (line.state != "HOST_FORWARD") continue;
    const auto address = line.host_address == "*" ? "0.0.0.0" : line.host_address;
    all.push_back(
        {line.network, {line.protocol, address, line.host_port, line.guest_port}, Location{}});
  }
  // QEMU has the newest first.
  std::reverse(all.begin(), all.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& left, const auto& right) {
    return left.network < right.network;
  });
  return all;
}

std::string ForwardTable::network(const std::string& wanted) const {
  const auto networks = parse_usernet_networks(text_);
  if (networks.empty())
    throw StateError("VM " + in_backticks(live_.name) + " has no user network to forward from")
        .help(
            "only networks of mode \"user\" have forwards; on a bridge the guest has an "
            "address of its own");
  if (wanted.empty()) return networks.front();
  if (std::find(networks.begin(), networks.end(), wanted) != networks.end()) return wanted;
  throw StateError("VM " + in_backticks(live_.name) + " has no user network " +
                   in_backticks(wanted))
      .help("its user networks are " + enumerate(networks));
}

PlannedForward ForwardTable::add(const std::string& network, const Forward& forward) {
  const auto before = forwards();
  const auto rule = host_end(forward) + "-:" + std::to_string(forward.guest_port);
  const auto said = monitor("hostfwd_add " + network + ' ' + rule);
  if (!said.empty())
    throw Error("QEMU does not forward " + in_backticks(forward_text(forward)) + ": " + said);
  for (auto& planned : forwards()) {
    const auto& now = planned.forward;
    if (now.guest_port != forward.guest_port || now.protocol != forward.protocol ||
        planned.network != network)
      continue;
    const bool old = std::any_of(before.begin(), before.end(),
                                 [&](const auto& each) { return same_end(each.forward, now); });
    if (!old) return planned;
  }
  throw Error("QEMU accepted the forward " + in_backticks(forward_text(forward)) +
              " but does not show it");
}

void ForwardTable::remove(const PlannedForward& planned) {
  const auto said = monitor("hostfwd_remove " + planned.network + ' ' + host_end(planned.forward));
  const auto left = forwards();
  const bool gone = std::none_of(left.begin(), left.end(), [&](const auto& each) {
    return same_end(each.forward, planned.forward);
  });
  if (!gone)
    throw Error("QEMU does not remove " + in_backticks(host_end(planned.forward)) + ": " + said);
}

void ForwardTable::write_down() const {
  // Another command may have changed it while this one waited for the socket.
  auto live = read_live(live_.name);
  if (!live || !(live->qemu == live_.qemu)) return;
  live->forwards = forwards();
  const auto automatic = auto_forwards(*live);
  std::erase_if(live->forwards, [&](const auto& each) {
    return std::any_of(automatic.begin(), automatic.end(),
                       [&](const auto& other) { return same_end(each.forward, other.forward); });
  });
  write_live(*live);
}

std::string ForwardTable::monitor(const std::string& line) {
  auto said = socket_.client().human_monitor(line);
  text_ = socket_.client().human_monitor("info usernet");
  std::erase(said, '\r');
  return std::string(trim(said));
}

}  // namespace qlaunch
