// SPDX-License-Identifier: MIT
// Ephemeral runs that start from a saved ready state, and the first one, which boots and saves it.
// Where the states lie and what they depend on is in warm.hpp.
#pragma once

#include "core/error.hpp"
#include "vm/launch.hpp"
#include "vm/start.hpp"

#include <functional>

namespace qlaunch {

/// A saved state that QEMU does not load.
class LoadFailed : public Error {
 public:
  explicit LoadFailed(std::string message) : Error(std::move(message)) {}
};

using LaunchCold = std::function<Launched(const LaunchRequest&)>;

/// An ephemeral run: from the saved state where there is one that fits; else it boots by `cold`,
/// and keeps its state where the profile wants that. What is in the way is said, once.
Launched launch_ephemeral(const LaunchRequest& request, const LaunchProgress& progress,
                          const std::function<bool()>& interrupted, const LaunchCold& cold);

/// A QEMU that waits for the state in `folder` goes on from it.
void load_warm(const LiveRecord& live, const std::string& folder,
               const std::function<bool()>& interrupted);

}  // namespace qlaunch
