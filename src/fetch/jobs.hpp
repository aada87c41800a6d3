// SPDX-License-Identifier: MIT
// The jobs of the helper. Each returns the event `done` or throws a Failure.
#pragma once

#include "image/fetch_job.hpp"

namespace qlaunch::fetch {

/// http, https and file URLs into descriptor 3, from where it ends on.
FetchEvent download(const FetchJob& job);
/// Descriptor 3 unpacked into 4, zeros as holes; the digest is of what came out.
FetchEvent unpack(const FetchJob& job);
/// The digest of descriptor 3.
FetchEvent digest(const FetchJob& job);

}  // namespace qlaunch::fetch
