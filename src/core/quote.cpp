// SPDX-License-Identifier: MIT
#include "core/quote.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace qlaunch {

std::string shell_quote(std::string_view word) {
  constexpr std::string_view safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
  // A leading '=' is expanded by zsh, a leading '%' names a job in some builtins.
  if (!word.empty() && word.find_first_not_of(safe) == std::string_view::npos && word[0] != '=' &&
      word[0] != '%')
    return std::string(word);
  std::string out = "'";
  for (const char character : word) {
    if (character == '\'') {
      out += "'\\''";
    } else {
      out += character;
    }
  }
  return out + '\'';
}

std::string shell_quote(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    if (&word != &words.front()) out += ' ';
    out += shell_quote(word);
  }
  return out;
}

std::string escape_commas(std::string_view value) {
  std::string out;
  for (const char character : value) {
    out += character;
    if (character == ',') out += ',';
  }
  return out;
}

std::string in_backticks(std::string_view text) {
  return '`' + printable(text) + '`';
}

std::string enumerate(const std::vector<std::string>& words, std::string_view last) {
  std::string out;
  for (std::size_t index = 0; index < words.size(); ++index) {
    if (index > 0) out += index + 1 == words.size() ? ' ' + std::string(last) + ' ' : ", ";
    out += words[index];
  }
  return out;
}

std::string toml_quote(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (character == '\n') {
      out += "\\n";
    } else if (character == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += digits[byte >> 4U];
      out += digits[byte & 0xfU];
    } else {
      out += character;
    }
  }
  return out + '"';
}

}  // namespace qlaunch
