// SPDX-License-Identifier: MIT
// Text as a YAML scalar that every reader takes for exactly this text. Reads no YAML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch::seed {

/// Without quotes where nothing can be misread (YAML 1.1 has words such as `no` for a boolean and
/// numbers of a dozen forms), else in double quotes; ASCII alone. Bytes that are not UTF-8 become
/// U+FFFD.
std::string yaml_text(std::string_view text);

/// Always in double quotes.
std::string yaml_quoted(std::string_view text);

/// "[a, b]", on one line.
std::string yaml_list(const std::vector<std::string>& texts);

}  // namespace qlaunch::seed
