// SPDX-License-Identifier: MIT
#include "vm/neighbours.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/memory.hpp"
#include "vm/catalog.hpp"
#include "vm/live.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// Where frames of other machines arrive: QEMU's own user network has one guest only.
bool shared(const Network& network) {
  return network.mode == NetworkMode::bridge || network.mode == NetworkMode::tap ||
         network.mode == NetworkMode::socket;
}

void look_at_memory(const Profile& profile, const Plan& plan, std::vector<Diagnostic>& found) {
  const auto free = available_memory();
  if (!free || plan.memory <= *free) return;
  auto& warning =
      found.emplace_back(warning_at(profile.where("machine.memory"),
                                    "the guest gets " + format_size(plan.memory) +
                                        " of memory, and " + format_size_rounded(*free) +
                                        " are free on this host: once the guest uses it all, the "
                                        "host swaps or ends programs"));
  warning.help.emplace_back("end other programs or VMs, or set a smaller machine.memory");
}

/// The line that gives the address, or the networks where it was derived.
Location place_of(const Profile& profile, const std::string& mac) {
  for (std::size_t index = 0; index < profile.networks.size(); ++index) {
    if (profile.networks[index].mac == mac)
      return profile.where("network[" + std::to_string(index) + "].mac");
  }
  return profile.where("network");
}

void look_at_addresses(const Profile& profile, const Plan& plan, std::vector<Diagnostic>& found) {
  if (std::none_of(profile.networks.begin(), profile.networks.end(), shared)) return;
  for (const auto& name : known_vms()) {
    if (name == plan.name) continue;
    const auto live = read_live(name);
    if (!live || !alive(live->qemu)) continue;
    for (const auto& mac : live->plan.macs) {
      if (std::find(plan.macs.begin(), plan.macs.end(), mac) == plan.macs.end()) continue;
      auto& warning = found.emplace_back(
          warning_at(place_of(profile, mac),
                     "VM " + in_backticks(name) + ", which runs, has the same MAC address, " + mac +
                         ": where both are on one network, neither can be reached reliably"));
      warning.help.emplace_back("leave `mac` out of [[network]]: each VM then has one of its own");
    }
  }
}

}  // namespace

std::vector<Diagnostic> crowding(const Profile& profile, const Plan& plan) {
  std::vector<Diagnostic> found;
  // More than the host has at all is a warning of the plan's.
  look_at_memory(profile, plan, found);
  look_at_addresses(profile, plan, found);
  return found;
}

}  // namespace qlaunch
