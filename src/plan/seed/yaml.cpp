// SPDX-License-Identifier: MIT
#include "plan/seed/yaml.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace qlaunch::seed {
namespace {

/// Words that a reader of YAML 1.1 takes for something else than text, in small letters.
constexpr std::array<std::string_view, 9> words{"y",   "n",    "yes",   "no",  "on",
                                                "off", "true", "false", "null"};

bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A letter or a slash first: then it is no number, no date and no indicator.
bool plain(std::string_view text) {
  if (text.empty() || !(letter(text.front()) || text.front() == '/')) return false;
  const bool harmless = std::all_of(text.begin(), text.end(), [](char c) {
    return letter(c) || (c >= '0' && c <= '9') ||
           std::string_view("/_.+-").find(c) != std::string_view::npos;
  });
  return harmless && std::find(words.begin(), words.end(), lower_ascii(text)) == words.end();
}

void append_escape(std::string& out, const char* form, char32_t character) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), form, static_cast<unsigned>(character));
  out += text.data();
}

}  // namespace

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char32_t character : decode_utf8_lossy(text)) {
    if (character == U'"' || character == U'\\') {
      out += '\\';
      out += static_cast<char>(character);
    } else if (character == U'\n') {
      out += "\\n";
    } else if (character == U'\t') {
      out += "\\t";
    } else if (character >= 0x20 && character < 0x7f) {
      out += static_cast<char>(character);
    } else if (character <= 0xff) {
      append_escape(out, "\\x%02x", character);
    } else {
      append_escape(out, character <= 0xffff ? "\\u%04x" : "\\U%08x", character);
    }
  }
  return out + '"';
}

std::string yaml_text(std::string_view text) {
  return plain(text) ? std::string(text) : yaml_quoted(text);
}

std::string yaml_list(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  parts.reserve(texts.size());
  for (const auto& text : texts) parts.push_back(yaml_text(text));
  return '[' + join(parts, ", ") + ']';
}

}  // namespace qlaunch::seed
