// SPDX-License-Identifier: MIT
// `~`, `$VAR` and relative paths, as far as they are text. Does not ask whether a file exists.
#pragma once

#include "profile/keys.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

struct Expanded {
  std::string text;
  std::optional<Problem> problem;
};

/// `~` and `~/` in front, `$NAME` and `${NAME}` anywhere, `$$` for a dollar. An unset variable is a
/// problem at its own place.
Expanded expand_variables(
    std::string_view text, const std::string& home,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

/// `path` seen from `folder`, without `.` and `//`. `..` stays: behind a symlink it means another
/// folder than the text says.
std::string absolute_path(std::string_view path, std::string_view folder);

/// The folder of a path, "/" for "/x".
std::string folder_of(std::string_view path);

/// Whether the `image` of a disk is a path: it has a slash or ends as image files do, and is no
/// URL and no built-in.
bool is_image_path(std::string_view text);
bool is_url(std::string_view text);
bool is_builtin_image(std::string_view text);

}  // namespace qlaunch
