// SPDX-License-Identifier: MIT
// Words for keys and sections that do not exist, and what was probably meant.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/keys.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

/// A key that its section does not have.
Diagnostic unknown_key(const Section& section, std::string_view name, const Location& where);

/// The key of this section that a misspelt one was probably meant to be.
std::optional<std::string> likely_key(const Section& section, std::string_view name);

/// A table that is no section; `list` where it is written [[so]].
Diagnostic unknown_section(std::string_view name, bool list, const Location& where);

}  // namespace qlaunch
