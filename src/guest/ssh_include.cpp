// SPDX-License-Identifier: MIT
#include "guest/ssh_include.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

#include <vector>

namespace qlaunch {
namespace {

/// Keyword and the rest of a line of ssh_config(5): "Include x", "include=x", "Include = x".
std::pair<std::string, std::string> keyword_of(std::string_view line) {
  line = trim(line);
  const auto end = line.find_first_of(" \t=\"");
  auto rest = end == std::string_view::npos ? std::string_view() : trim(line.substr(end));
  if (rest.starts_with('=')) rest = trim(rest.substr(1));
  return {lower_ascii(line.substr(0, end)), std::string(rest)};
}

/// The words of a line, without their quotes.
std::vector<std::string> include_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    const bool escapes = c == '\\' && at + 1 < text.size() &&
                         (text[at + 1] == '\\' || text[at + 1] == '"' || text[at + 1] == '\'');
    if (escapes) {
      words.back() += text[++at];
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      words.back() += c;
    }
  }
  return words;
}

/// As glob(7) has it, which is what Include takes.
std::string glob_quote(const std::string& file) {
  std::string out;
  for (const char c : file) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string include_line(const std::string& file) {
  if (file.find_first_of("\r\n") != std::string::npos)
    throw Error("ssh cannot be given the path " + in_backticks(printable(file)));
  std::string quoted;
  for (const char c : glob_quote(file)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return "Include \"" + quoted + '"';
}

std::optional<std::string> with_include(const std::string& config, const std::string& file,
                                        std::string_view home) {
  const auto wanted = glob_quote(file);
  for (const auto& line : split(config, '\n')) {
    const auto [keyword, rest] = keyword_of(line);
    // What stands below holds for some hosts only.
    if (keyword == "host" || keyword == "match") break;
    if (keyword != "include") continue;
    for (auto word : include_words(rest)) {
      if (word.starts_with("~/")) word.replace(0, 1, home);
      if (word == wanted || word == file) return std::nullopt;
    }
  }
  // Lines as the file has them already.
  const auto end = config.find('\n');
  const bool carriage = end != std::string::npos && end > 0 && config[end - 1] == '\r';
  const std::string newline = carriage ? "\r\n" : "\n";
  return include_line(file) + newline + (config.empty() ? "" : newline) + config;
}

}  // namespace qlaunch
