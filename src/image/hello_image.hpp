// SPDX-License-Identifier: MIT
// The disk image of the built-in profile `hello`, which travels inside the binary.
// Writes no file: the image is `hello_boot_code()` followed by zeros up to `hello_image_size`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace qlaunch {

/// Below 64 KiB, q35's firmware says "could not read the boot disk".
constexpr std::size_t hello_image_size = std::size_t{1} << 20;

/// The one sector that holds the guest (512 bytes), valid for the life of the program.
std::span<const std::uint8_t> hello_boot_code();

}  // namespace qlaunch
