// SPDX-License-Identifier: MIT
// How much memory this host could give now. The total, which does not change, is among the facts.
#pragma once

#include <cstdint>
#include <optional>

namespace qlaunch {

/// What programs can still get without pushing others out, as the kernel estimates it.
std::optional<std::uint64_t> available_memory();

}  // namespace qlaunch
