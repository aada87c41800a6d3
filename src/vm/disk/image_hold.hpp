// SPDX-License-Identifier: MIT
// The downloaded images that a start needs: fetched where they are missing, proven to be what they
// were, and kept from being pruned until the VM's own files name them.
#pragma once

#include "host/files.hpp"
#include "plan/plan.hpp"

#include <functional>
#include <vector>

namespace qlaunch {

struct LaunchProgress;

class ImageHold {
 public:
  /// True where all are there and held. Else something has changed, most often because it was
  /// fetched: the plan has to be made anew. Throws where one cannot be had, or was altered.
  bool ready(const Plan& plan, const LaunchProgress& progress,
             const std::function<bool()>& interrupted);

 private:
  std::vector<UniqueFd> held_;
};

}  // namespace qlaunch
