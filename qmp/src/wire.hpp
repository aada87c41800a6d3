// SPDX-License-Identifier: MIT
// A command as text for the wire, and small looks at what came from it.
// Does not parse messages: envelope.hpp does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

/// `{"execute":"command","arguments":{...}` without the closing brace: an id may follow.
/// Throws invalid_argument where the arguments are neither an object nor null, or are such that no
/// peer would read them.
std::string command_text(const char* verb, std::string_view command,
                         const nlohmann::json& arguments);

/// The member as a string, or the fallback where it is absent or of another type.
std::string string_or(const nlohmann::json& object, const char* key, std::string_view fallback);

/// The same for an integer. A number with a fraction or an exponent is none: it may not fit.
std::int64_t integer_or(const nlohmann::json& object, const char* key, std::int64_t fallback);

/// Compact, and never throwing on bytes that are not UTF-8: they are replaced.
std::string to_text(const nlohmann::json& value);

/// The start of a line in printable ASCII, to recognize what it is from.
std::string excerpt(std::string_view line);

/// A line that is nothing but spaces.
bool is_blank(std::string_view line);

}  // namespace qmp
