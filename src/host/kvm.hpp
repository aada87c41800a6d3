// SPDX-License-Identifier: MIT
// The try behind kvm_verdict(), for its tests. Remembers nothing.
#pragma once

#include "host/facts.hpp"

#include <string>

namespace qlaunch {

/// Runs a guest of a few instructions (long mode, paging, a serial port) under this accelerator.
/// Empty: it ran to its end. Else one line on what went wrong.
std::string try_guest(const std::string& qemu, const std::string& accel, const std::string& cpu);

}  // namespace qlaunch
