// SPDX-License-Identifier: MIT
// Pausing, resuming, resetting and rebooting a running VM within its QEMU. Starts and ends no QEMU.
#pragma once

#include "core/units.hpp"

#include <functional>
#include <string>

namespace qlaunch {

/// Each returns how it went, in words ("paused already"). StateError where the VM does not run or
/// its state does not allow it; TimeoutError and qmp::Timeout where QEMU does not answer.
std::string pause_vm(const std::string& name);
std::string resume_vm(const std::string& name);
std::string reset_vm(const std::string& name);

struct RebootRequest {
  Duration timeout{};  // zero: the profile's [shutdown] timeout
  bool force = false;  // after the timeout: reset
  std::function<void(const std::string&)> step = [](const auto&) {};
  std::function<bool()> interrupted = [] { return false; };
};

/// Asks the guest to power off while QEMU is told to stay, and then starts it anew: the same
/// process, ports and devices. TimeoutError where the guest does not obey and `force` is not set,
/// Error where interrupted; it then goes on as before.
std::string reboot_vm(const std::string& name, const RebootRequest& request);

}  // namespace qlaunch
