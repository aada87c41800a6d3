// SPDX-License-Identifier: MIT
// The start of a suspended VM: QEMU goes on from its saved state, which is removed once the guest
// runs. Suspends nothing (see suspend.hpp).
#pragma once

#include "vm/launch.hpp"

#include <functional>
#include <optional>

namespace qlaunch {

/// The VM that this request means, where its state is kept; empty otherwise.
std::string suspended_vm(const LaunchRequest& request);

/// Nothing where there is no state to go on from after all: it runs, or its state was discarded or
/// is void because a guest went on from it. Throws where it cannot go on; the state is kept then.
std::optional<Launched> wake(const std::string& name, const LaunchRequest& request,
                             const LaunchProgress& progress,
                             const std::function<bool()>& interrupted);

}  // namespace qlaunch
