// SPDX-License-Identifier: MIT
// Shares taken from a running guest while its state is saved or replaced, and given back: mounts
// through its agent, devices through QMP. Saves no state.
#pragma once

#include "vm/live.hpp"
#include "vm/share/detached_record.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Whether a share keeps QEMU from saving the state now.
bool shares_block(qmp::SyncClient& client);

/// Takes from the guest what blocks, of the shares that allow it; with `all`, of all. What was
/// taken is remembered for put_back_shares() first, so that it is given back whoever is killed.
/// Where one is in use, StateError names by whom, and nothing has happened. `client` is QEMU's
/// command socket, held by the caller.
std::vector<DetachedShare> detach_shares(const LiveRecord& live, qmp::SyncClient& client, bool all);

/// Before a state is loaded that knows no virtiofs devices: takes these from the guest as it is,
/// whoever uses them, since nothing of it remains. The rest as above.
void drop_shares(const LiveRecord& live, qmp::SyncClient& client,
                 const std::vector<DetachedShare>& shares);

/// Whether that can be done: QEMU has no such device, or the guest runs and answers. One that does
/// not would let go of them later, when they are needed again.
bool lets_go_of_shares(const LiveRecord& live, qmp::SyncClient& client,
                       const std::vector<DetachedShare>& shares);

/// Plugs in and mounts again, where that is not so already; remembers nothing any more then. Throws
/// Error where the guest does not do it.
void attach_shares(const LiveRecord& live, qmp::SyncClient& client,
                   const std::vector<DetachedShare>& shares);

/// What a command that was killed, or a guest that did not answer, has left. Nothing where there is
/// nothing, or where another command is at it.
void put_back_shares(const LiveRecord& live, qmp::SyncClient& client);
/// Gives up where the agent says nothing for so long.
void put_back_shares(const LiveRecord& live, Duration patience);

}  // namespace qlaunch
