// SPDX-License-Identifier: MIT
// Text made safe for another language: shell words, QEMU's comma lists, messages.
// Does not read any of them back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// One word for a POSIX shell, in single quotes only where needed.
std::string shell_quote(std::string_view word);
std::string shell_quote(const std::vector<std::string>& words);

/// A value inside QEMU's key=value lists: every comma doubled.
std::string escape_commas(std::string_view value);

/// `name`, as messages quote.
std::string in_backticks(std::string_view text);

/// "a", "a and b", "a, b and c"; with another last word: "a, b or c".
std::string enumerate(const std::vector<std::string>& words, std::string_view last = "and");

/// A basic TOML string with its quotes.
std::string toml_quote(std::string_view text);

}  // namespace qlaunch
