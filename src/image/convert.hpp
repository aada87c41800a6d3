// SPDX-License-Identifier: MIT
// Disk images from one format to another by qemu-img, between open files. Trusts no name in an
// image.
#pragma once

#include "image/sniff.hpp"
#include "profile/profile.hpp"

#include <functional>

namespace qlaunch {

struct ConvertWatch {
  std::function<void(double percent)> progress;
  std::function<bool()> interrupted;
};

/// `to` is empty and is then the image. Throws where qemu-img cannot read it.
void convert_image(int from, ImageKind kind, int to, DiskFormat format, const ConvertWatch& watch);

/// Throws where a qcow2 image is not whole by its own account.
void check_qcow2(int image, const ConvertWatch& watch);

/// The last "(12.34/100%)" of what qemu-img has printed.
double percent_in(std::string_view printed);

}  // namespace qlaunch
