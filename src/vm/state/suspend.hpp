// SPDX-License-Identifier: MIT
// Suspends a running VM: its whole state to the disk, QEMU gone. The next start goes on from there:
// see wake.hpp.
#pragma once

#include "core/units.hpp"
#include "vm/live.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace qlaunch {

struct SuspendRequest {
  std::function<void(const std::string&)> step = [](const auto&) {};
  std::function<bool()> interrupted = [] { return false; };
  /// Until the keeper has tidied up; not for a process of the keeper's own.
  bool wait_for_keeper = true;
  bool detach_shares = false;  // also those whose `on_snapshot` does not say so
};

/// Returns how it went, in words. StateError where the VM does not run, or cannot be saved as it is
/// now; whatever throws, the guest goes on as before.
std::string suspend_vm(const std::string& name, const SuspendRequest& request);

}  // namespace qlaunch
