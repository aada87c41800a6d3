// SPDX-License-Identifier: MIT
// Which ports of a guest are to appear on the host by themselves: decided from what listens there,
// the profile's rules and what has appeared already. Forwards nothing.
#pragma once

#include "guest/listeners.hpp"
#include "plan/plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace qlaunch {

/// More than a person can use; each one costs QEMU a socket, and a guest may claim any number.
constexpr std::size_t most_auto_forwards = 256;

/// A port of the guest's that the rules want on the host, and what became of it.
struct AutoPort {
  enum class State {
    coming,   // about to be there; after a crash perhaps there
    there,    // and can be used
    waiting,  // see `why`
    removed   // by a command; it stays away until the guest's listener has gone
  };

  Listener listener;
  std::uint16_t host_port = 0;  // where it is, or was wanted; 0: any
  bool by_ssh = false;
  State state = State::coming;
  std::string why = {};

  bool operator==(const AutoPort&) const = default;
};

/// What there is between two looks into the guest; kept in a file.
struct AutoPorts {
  std::vector<AutoPort> ports;
  std::string by;       // how the guest is asked: "agent", "ssh"; empty: not yet
  std::string problem;  // why it cannot be asked at this moment

  bool operator==(const AutoPorts&) const = default;
};

/// Of listeners on one port the one that is easiest to reach, those of `declared` left out unless
/// they are in `now` already. `port.host_port` is what the rules want.
std::vector<AutoPort> wanted_ports(const PlannedAutoForward& rules,
                                   const std::vector<Listener>& listeners,
                                   const std::vector<PlannedForward>& declared,
                                   const AutoPorts& now);

struct AutoChanges {
  std::vector<AutoPort> remove;  // as they are now
  std::vector<AutoPort> add;     // as they should be; those that wait are tried again
};

AutoChanges changes_to(const AutoPorts& now, const std::vector<AutoPort>& wanted);

/// The same port of the guest, by whatever address.
bool same_guest_port(const AutoPort& left, const AutoPort& right);

std::string auto_ports_to_json(const AutoPorts& ports);
/// Nothing of a text that is none.
AutoPorts auto_ports_from_json(std::string_view text);

/// As `status` and `forward list` tell it.
PlannedForward planned_forward(const AutoPort& port, const std::string& network);

}  // namespace qlaunch
