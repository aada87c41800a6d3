// SPDX-License-Identifier: MIT
#include "vm/auto_ports.hpp"

#include "host/files.hpp"

namespace qlaunch {
namespace {

std::string auto_ports_path(const LiveRecord& live) {
  return live.plan.paths.runtime + "/ports.json";
}

}  // namespace

AutoPorts read_auto_ports(const LiveRecord& live) {
  if (!live.plan.auto_forward) return {};
  const auto text = try_read_file(auto_ports_path(live));
  return text ? auto_ports_from_json(*text) : AutoPorts{};
}

void write_auto_ports(const LiveRecord& live, const AutoPorts& ports) {
  // After a crash of the host it is of no use.
  write_file_atomic(auto_ports_path(live), auto_ports_to_json(ports), 0600, Durability::quick);
}

std::vector<PlannedForward> auto_forwards(const LiveRecord& live) {
  std::vector<PlannedForward> all;
  for (const auto& port : read_auto_ports(live).ports) {
    if (port.state == AutoPort::State::there)
      all.push_back(planned_forward(port, live.plan.auto_forward->network));
  }
  return all;
}

}  // namespace qlaunch
