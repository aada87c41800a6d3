// SPDX-License-Identifier: MIT
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace qlaunch {
namespace {

/// The length of the valid UTF-8 character at the front of `text`, 0 where there is none.
std::size_t valid_length(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if ((first & 0xf0U) == 0xe0) {
    length = 3;
    if (first == 0xe0) low = 0xa0;   // overlong
    if (first == 0xed) high = 0x9f;  // surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length) return 0;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t index = 2; index < length; ++index) {
    if ((byte(index) & 0xc0U) != 0x80) return 0;
  }
  return length;
}

struct Range {
  char32_t first, last;
};

bool within(char32_t character, const Range* begin, const Range* end) {
  return std::any_of(begin, end, [&](const Range& range) {
    return character >= range.first && character <= range.last;
  });
}

// The blocks that terminals agree on: enough to keep carets under the right word.
constexpr std::array wide{Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},  Range{0x3041, 0x33ff},
                          Range{0x3400, 0x4dbf},   Range{0x4e00, 0x9fff},  Range{0xa000, 0xa4cf},
                          Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},  Range{0xfe30, 0xfe6f},
                          Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},  Range{0x1f300, 0x1f64f},
                          Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};
constexpr std::array zero{Range{0x0300, 0x036f}, Range{0x200b, 0x200f}, Range{0x20d0, 0x20ff},
                          Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}};

std::string escape_controls(std::string_view text, bool keep_newlines) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t index = 0; index < text.size();) {
    const auto length = valid_length(text.substr(index));
    const auto byte = static_cast<unsigned char>(text[index]);
    // C1 controls (U+0080 to U+009f) act on some terminals like an escape.
    const bool c1 =
        length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[index + 1]) < 0xa0;
    if (length == 1 && byte == '\n' && keep_newlines) {
      out += '\n';
    } else if (length == 1 && byte == '\n') {
      out += "\\n";
    } else if (length == 1 && byte == '\t') {
      out += "\\t";
    } else if (length == 0 || byte < 0x20 || byte == 0x7f || c1) {
      const auto shown = c1 ? static_cast<unsigned char>(text[index + 1]) : byte;
      out += "\\x";
      out += digits[shown >> 4U];
      out += digits[shown & 0xfU];
    } else {
      out += text.substr(index, length);
    }
    index += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string with_zeros(unsigned long long value, int base, std::size_t width) {
  std::array<char, 32> digits{};
  auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  const std::string out(digits.data(), end);
  return std::string(out.size() < width ? width - out.size() : 0, '0') + out;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t index = 0; index < text.size();) {
    const auto length = valid_length(text.substr(index));
    if (length == 0) return index;
    index += length;
  }
  return std::nullopt;
}

std::u32string decode_utf8_lossy(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t index = 0; index < text.size();) {
    const auto length = valid_length(text.substr(index));
    const auto byte = [&](std::size_t offset) {
      return static_cast<char32_t>(static_cast<unsigned char>(text[index + offset]));
    };
    if (length == 0) {
      out += U'\ufffd';
    } else if (length == 1) {
      out += byte(0);
    } else {
      char32_t character = byte(0) & (0x7fU >> length);
      for (std::size_t offset = 1; offset < length; ++offset)
        character = (character << 6U) | (byte(offset) & 0x3fU);
      out += character;
    }
    index += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t character : text) {
    const auto tail = [&](unsigned shift) {
      return static_cast<char>(0x80U | ((character >> shift) & 0x3fU));
    };
    if (character < 0x80) {
      out += static_cast<char>(character);
    } else if (character < 0x800) {
      out += static_cast<char>(0xc0U | (character >> 6U));
      out += tail(0);
    } else if (character < 0x10000) {
      out += static_cast<char>(0xe0U | (character >> 12U));
      out += tail(6);
      out += tail(0);
    } else {
      out += static_cast<char>(0xf0U | (character >> 18U));
      out += tail(12);
      out += tail(6);
      out += tail(0);
    }
  }
  return out;
}

std::string printable(std::string_view text) {
  return escape_controls(text, false);
}
std::string printable_lines(std::string_view text) {
  return escape_controls(text, true);
}

int display_width(std::string_view text) {
  int width = 0;
  for (const char32_t character : decode_utf8_lossy(text)) {
    if (within(character, zero.begin(), zero.end())) continue;
    width += within(character, wide.begin(), wide.end()) ? 2 : 1;
  }
  return width;
}

std::string fold(std::string_view text, int width, std::string_view indent) {
  std::string out;
  int used = 0;
  bool line_open = false;
  for (const auto& line : split(text, '\n')) {
    if (line_open) {
      out += '\n';
      out += indent;
    }
    line_open = true;
    used = 0;
    bool first = true;
    for (const auto& word : split(line, ' ')) {
      const int length = display_width(word);
      if (!first && used + 1 + length > std::max(width, 20)) {
        out += '\n';
        out += indent;
        used = 0;
      } else if (!first) {
        out += ' ';
        ++used;
      }
      out += word;
      used += length;
      first = false;
    }
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& character : out) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  }
  return out;
}

std::optional<unsigned long long> parse_unsigned(std::string_view text) {
  unsigned long long value = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || text.empty()) return std::nullopt;
  return value;
}

std::string octal(unsigned long long value, std::size_t width) {
  return with_zeros(value, 8, width);
}

bool lies_below(std::string_view path, std::string_view folder) {
  return !folder.empty() && path.size() > folder.size() && path.starts_with(folder) &&
         path[folder.size()] == '/';
}

bool is_hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string hexadecimal(unsigned long long value, std::size_t width) {
  return with_zeros(value, 16, width);
}

}  // namespace qlaunch
