// SPDX-License-Identifier: MIT
// One JSON object from a line of the wire, and a command as text for it.
// Does not know what the object means.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace qmp {

/// Throws Malformed with a reason: not JSON, not UTF-8, nested too deeply, not an object.
nlohmann::json parse_object(std::string_view line);

/// The member as a string, or the fallback where it is absent or of another type.
std::string string_or(const nlohmann::json& object, const char* key, std::string_view fallback);

/// Compact, and never throwing on bytes that are not UTF-8: they are replaced.
std::string to_text(const nlohmann::json& value);

/// The arguments as a member to append, empty for none. Throws invalid_argument if they are neither
/// an object nor null.
std::string arguments_member(const nlohmann::json& arguments);

/// A line that is nothing but spaces.
bool is_blank(std::string_view line);

}  // namespace qmp
