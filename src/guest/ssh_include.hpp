// SPDX-License-Identifier: MIT
// The one line that a user's ~/.ssh/config needs for qlaunch's hosts. Pure: texts in, texts out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

/// `Include "/home/ann/.local/share/qlaunch/ssh_config"`
std::string include_line(const std::string& file);

/// The same configuration with the line at its top, where it holds for every host; nothing where it
/// stands there already. All else stays as it is, byte for byte.
std::optional<std::string> with_include(const std::string& config, const std::string& file,
                                        std::string_view home);

}  // namespace qlaunch
