// SPDX-License-Identifier: MIT
// run_and_capture() with an end of the caller's choice. Throws only where the program does not
// start.
#pragma once

#include "host/spawn.hpp"

#include <functional>

namespace qlaunch {

enum class CaptureEnd { by_itself, stopped, timeout };

struct CaptureResult {
  Captured output;
  CaptureEnd end = CaptureEnd::by_itself;
};

/// `enough`, where given, is asked whenever there is more output; once true, the program is killed.
CaptureResult capture(SpawnOptions options, std::chrono::milliseconds timeout, std::size_t limit,
                      const std::function<bool(const Captured&)>& enough = {});

}  // namespace qlaunch
