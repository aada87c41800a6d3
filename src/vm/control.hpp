// SPDX-License-Identifier: MIT
// Stopping a running VM, each way awaited to its end. Does not start anything.
#pragma once

#include "core/units.hpp"

#include <functional>
#include <string>

namespace qlaunch {

struct ShutdownRequest {
  Duration timeout{};  // zero: the profile's [shutdown] timeout
  bool force = false;  // after the timeout: quit, then SIGKILL
  std::function<void(const std::string&)> step = [](const auto&) {};
};

/// Asks the guest to power off and waits until QEMU and the keeper are gone. Throws TimeoutError
/// where the guest does not obey and `force` is not set: it then still runs. Returns how it ended,
/// in words. StateError where it does not run.
std::string shutdown_vm(const std::string& name, const ShutdownRequest& request);

/// Ends QEMU at once, by `quit` and then SIGKILL. Returns how, in words.
std::string kill_vm(const std::string& name);

}  // namespace qlaunch
