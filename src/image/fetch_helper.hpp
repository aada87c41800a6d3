// SPDX-License-Identifier: MIT
// Runs `qlaunch-fetch`, the program beside this one that downloads, unpacks and takes digests.
// Knows nothing of images.
#pragma once

#include "image/fetch_job.hpp"

#include <functional>

namespace qlaunch {

struct FetchFiles {
  int file = -1;    // descriptor 3 of the helper
  int second = -1;  // descriptor 4; -1: none
};

/// Its last event, `done` or `failed`; `told` gets those before. Throws an Error where the helper
/// is not there or ends without one, and where `interrupted` is true: then it is killed.
FetchEvent run_fetch(const FetchJob& job, const FetchFiles& files,
                     const std::function<void(const FetchEvent&)>& told,
                     const std::function<bool()>& interrupted);

}  // namespace qlaunch
