// SPDX-License-Identifier: MIT
// Asks a guest agent what listens in its guest, with nothing of ours in there.
// Keeps no connection and does not ask again.
#pragma once

#include "guest/listeners.hpp"
#include "qmp/deadline.hpp"

#include <optional>
#include <vector>

namespace qmp {
class Agent;
}

namespace qlaunch {

struct AskedProtocols {
  bool tcp = true, udp = true;
};

/// The guest's files by guest-file-open, or where the guest forbids that a `cat` of them by
/// guest-exec. Throws qmp::Refused where it forbids both or is no Linux; Timeout, Gone.
std::vector<Listener> agent_listeners(qmp::Agent& agent, const AskedProtocols& asked,
                                      qmp::Deadline deadline);

}  // namespace qlaunch
