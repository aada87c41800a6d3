// SPDX-License-Identifier: MIT
// Sizes ("8 GiB") and durations ("90s"): their text to a number and back. Knows no limits.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace qlaunch {

/// A value's text cannot be read; the caller knows where it stood.
class ValueError : public UsageError {
 public:
  using UsageError::UsageError;
};

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;
constexpr std::uint64_t tib = 1024 * gib;

/// "8 GiB", "8GiB", "8G" (binary, as QEMU and everyone's fingers mean it), "8 GB" (decimal), "4096"
/// (bytes). Throws ValueError with a hint.
std::uint64_t parse_size(std::string_view text);

/// The shortest exact form with a binary unit: "8 GiB", "1536 MiB", "8000000000 bytes".
std::string format_size(std::uint64_t bytes);

/// Rounded to three digits for people: "7.45 GiB".
std::string format_size_rounded(std::uint64_t bytes);

using Duration = std::chrono::milliseconds;

/// "90s", "500ms", "2 min", "1h30m". A bare number needs a unit. Throws ValueError with a hint.
Duration parse_duration(std::string_view text);

/// "90s" stays "1m30s"; the shortest exact form.
std::string format_duration(Duration duration);

}  // namespace qlaunch
