// SPDX-License-Identifier: MIT
// What a disk is based on: a file, a downloaded image, the image inside the binary.
// Downloads nothing.
#pragma once

#include "plan/draft.hpp"

#include <optional>
#include <string>

namespace qlaunch::planner {

struct DiskBase {
  std::string path;
  std::string format;
  std::optional<std::uint64_t> size;  // of the guest's disk, where known
  std::string key;                    // "disk[0].image"
};

/// Nothing where the disk has no base, or after an error.
std::optional<DiskBase> resolve_base(Draft& draft, std::size_t index);

/// The place of an image's bytes in the cache, by digest: "<cache>/images/sha512-HEX.qcow2".
std::string cached_image_path(const std::string& cache, const Image& image);

}  // namespace qlaunch::planner
