// SPDX-License-Identifier: MIT
// Characters and lines: UTF-8, terminal width, folding. Knows nothing of files or profiles.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// The offset of the first byte that is not part of valid UTF-8, if there is one.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

/// Invalid bytes become U+FFFD, one each.
std::u32string decode_utf8_lossy(std::string_view text);
std::string encode_utf8(std::u32string_view text);

/// Every control character (newline too) as an escape such as \n or \x1b, so that no text of the
/// user's can move the cursor of a terminal.
std::string printable(std::string_view text);
/// The same, but newlines stay.
std::string printable_lines(std::string_view text);

int display_width(std::string_view text);

/// Breaks at spaces so that no line is longer than `width`; further lines open with `indent`.
std::string fold(std::string_view text, int width, std::string_view indent);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string lower_ascii(std::string_view text);

/// A whole decimal number without sign; nothing for other text or overflow.
std::optional<unsigned long long> parse_unsigned(std::string_view text);

/// In base 8 or 16, with zeros before it up to `width` digits.
std::string octal(unsigned long long value, std::size_t width);
std::string hexadecimal(unsigned long long value, std::size_t width);
bool is_hexadecimal(char c);

/// By their names: both absolute, without "..", and the folder without a slash at its end;
/// nothing lies below the empty one.
bool lies_below(std::string_view path, std::string_view folder);

}  // namespace qlaunch
