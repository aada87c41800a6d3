// SPDX-License-Identifier: MIT
// A new image file that is there whole or not at all. Never writes over a file.
#pragma once

#include "image/qemu_img.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// What the name of an unfinished file ends with, then the pid of who makes it.
constexpr std::string_view half_made_mark = ".new.";

/// "PATH.new.PID".
std::string half_made_name(const std::string& path);

/// What commands that were killed while they made `path` have left beside it.
void remove_half_made(const std::string& path);

/// Runs qemu-img with `words`, in which "{}" stands for the file, on a name beside `path`, and
/// moves the result there. Throws where `path` appears meanwhile, but not with `replace`.
void make_image(const QemuImg& qemu_img, const std::string& path, std::vector<std::string> words,
                bool replace = false, const ImageWork& work = {});

/// A finished file gets its name; refused where that is taken.
void move_into_place(const std::string& half_made, const std::string& path);

}  // namespace qlaunch
