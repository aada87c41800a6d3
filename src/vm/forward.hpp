// SPDX-License-Identifier: MIT
// Port forwards of a running VM, changed while it runs. The profile stays as it is.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// As QEMU has them now, not as the profile wanted them. StateError where the VM does not run.
std::vector<PlannedForward> list_forwards(const std::string& name);

/// Adds all of them or none, and returns them with the ports that were taken for "auto". One that
/// is there already is returned, too. `network` empty: the first user network. An Error says who
/// holds a port.
std::vector<PlannedForward> add_forwards(const std::string& name,
                                         const std::vector<Forward>& forwards,
                                         const std::string& network);

/// What a forward to be removed is known by: its end on the host.
struct HostEnd {
  Protocol protocol = Protocol::tcp;
  std::string address;  // empty: any
  std::uint16_t port = 0;
};

/// "2223", "2223:22", "udp:127.0.0.1:5353", "8000-8010". Throws UsageError.
std::vector<HostEnd> parse_host_ends(const std::string& text);

/// Removes all of them or none, and returns them. StateError where one is not there.
std::vector<PlannedForward> remove_forwards(const std::string& name,
                                            const std::vector<HostEnd>& ends);

}  // namespace qlaunch
