// SPDX-License-Identifier: MIT
// The process that makes a guest's ports appear on the host as `auto_forward` says: looks into the
// guest again and again, and waits for an agent as long as that takes, which a keeper must not.
#pragma once

#include "vm/live.hpp"

namespace qlaunch {

/// What a keeper tells it, a byte each.
enum class PortNews : char {
  stands_still = 's',  // nobody in the guest can answer
  goes_on = 'g',       // perhaps in another state than before
  reset = 'r',         // nothing listens any more
  agent = 'a'          // the guest agent has opened its port
};

/// Until the other end of `news` is closed or QEMU has ended. Does not throw.
void work_on_ports(const LiveRecord& live, int news);

}  // namespace qlaunch
