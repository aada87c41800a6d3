// SPDX-License-Identifier: MIT
#include "vm/ports.hpp"

#include "core/error.hpp"
#include "guest/usernet.hpp"
#include "host/socket.hpp"

#include <algorithm>

namespace qlaunch {

void check_ports(const Plan& plan) {
  for (const auto& planned : plan.forwards) {
    const auto& forward = planned.forward;
    if (forward.host_port == 0 ||
        port_free(forward.protocol, forward.host_address, forward.host_port))
      continue;
    const auto owner = port_owner(forward.protocol, forward.host_address, forward.host_port);
    std::string by;
    if (owner && !owner->program.empty())
      by = " by " + owner->program + " (pid " + std::to_string(owner->pid) + ')';
    Error error("port " + forward.host_address + ':' + std::to_string(forward.host_port) +
                (forward.protocol == Protocol::udp ? "/udp" : "") + " is taken" + by);
    error.help("stop that program, or use \"auto:" + std::to_string(forward.guest_port) +
               "\" to take a free port");
    throw std::move(error).at(planned.where);
  }
}

bool learn_ports(LiveRecord& live) {
  const auto unknown = [](const auto& planned) { return planned.forward.host_port == 0; };
  if (std::none_of(live.forwards.begin(), live.forwards.end(), unknown)) return false;
  CommandSocket socket(live);
  for (const auto& line : parse_usernet(socket.client().human_monitor("info usernet"))) {
    if (line.state != "HOST_FORWARD") continue;
    const auto match =
        std::find_if(live.forwards.begin(), live.forwards.end(), [&](const auto& planned) {
          return unknown(planned) && planned.network == line.network &&
                 planned.forward.guest_port == line.guest_port &&
                 planned.forward.protocol == line.protocol;
        });
    if (match != live.forwards.end()) match->forward.host_port = line.host_port;
  }
  return true;
}

bool remember_ports(Record& record, const Profile& profile, const LiveRecord& live) {
  const auto before = record.auto_ports;
  for (const auto& network : profile.networks) {
    for (const auto& forward : network.forward) {
      if (forward.host_port != 0) continue;
      for (const auto& planned : live.forwards) {
        if (planned.network == network.name && planned.forward.guest_port == forward.guest_port &&
            planned.forward.protocol == forward.protocol && planned.forward.host_port != 0)
          record.auto_ports[auto_port_key(network.name, forward)] = planned.forward.host_port;
      }
    }
  }
  return record.auto_ports != before;
}

}  // namespace qlaunch
