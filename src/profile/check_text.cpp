// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/toml_text.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace qlaunch {
namespace {

Location place_at(const SourcePtr& source, std::size_t offset) {
  const std::string_view text = source->text;
  const auto before = text.substr(0, offset);
  const auto line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  Location where{source, 1, 1, 1};
  where.line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  where.column += static_cast<int>(decode_utf8_lossy(before.substr(line_start)).size());
  return where;
}

/// Walks over a text just well enough to tell keys and brackets from strings and comments.
///
/// The parser recurses once per level, and so does everything behind it: the depth is bounded here.
/// For characters beyond ASCII outside of strings it has no words that help.
class BareScan {
 public:
  struct Stop {
    std::size_t offset = 0;
    bool deep = false;  // else a character beyond ASCII
  };

  explicit BareScan(std::string_view text) : text_(text) {}

  std::optional<Stop> run() {
    while (at_ < text_.size()) {
      const char character = text_[at_];
      if (character == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (character == '"' || character == '\'') {
        skip_string(character);
      } else {
        if (static_cast<unsigned char>(character) >= 0x80) return Stop{at_, false};
        step(character);
        if (brackets_ + dots_ > deepest_nesting) return Stop{at_, true};
        ++at_;
      }
    }
    return std::nullopt;
  }

 private:
  void step(char character) {
    if (character == '.') {
      ++dots_;
    } else if (character == '[' || character == '{') {
      ++brackets_;
    } else if (character == ']' || character == '}') {
      brackets_ = std::max(0, brackets_ - 1);
      dots_ = 0;
    } else if (character == '=' || character == ',' || character == '\n') {
      dots_ = 0;
    }
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool long_form = text_.substr(at_).starts_with(triple);
    at_ += long_form ? 3 : 1;
    while (at_ < text_.size()) {
      const char character = text_[at_];
      if (character == '\\' && quote == '"') {
        at_ += 2;
      } else if (long_form && text_.substr(at_).starts_with(triple)) {
        at_ += 3;
        // Up to two quotes may stand before the closing three.
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return;
      } else if (!long_form && (character == quote || character == '\n')) {
        if (character == quote) ++at_;
        return;
      } else {
        ++at_;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int brackets_ = 0;
  int dots_ = 0;
};

}  // namespace

std::vector<Diagnostic> check_text(const SourcePtr& source) {
  const std::string_view text = source->text;
  if (const auto bad = first_invalid_utf8(text)) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02x", static_cast<unsigned char>(text[*bad]));
    return {error_at(place_at(source, *bad), "byte " + std::string(byte) + " is not valid UTF-8")
                .with_help("save the file as UTF-8; if this is no text file, it is no profile")};
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return {error_at(place_at(source, nul), "the file holds a NUL byte")
                .with_help("a profile is a text file; is this a disk image or a binary?")};
  }
  const auto stop = BareScan(text).run();
  if (!stop) return {};
  const auto where = place_at(source, stop->offset);
  if (stop->deep) {
    return {error_at(where, "nested more than " + std::to_string(deepest_nesting) + " levels deep")
                .with_help("no key of a profile lies deeper than four levels")};
  }
  const auto character = encode_utf8(decode_utf8_lossy(text.substr(stop->offset, 4)).substr(0, 1));
  auto finding = error_at(where, in_backticks(character) + " cannot stand outside of quotes");
  if (character == "\u201c" || character == "\u201d" || character == "\u201e" ||
      character == "\u00ab" || character == "\u00bb") {
    finding.help.emplace_back("a text stands in plain quotes: \"so\"");
  } else if (character == "\u00a0" || character == "\u3000" || character == "\u200b") {
    finding.message =
        "a space that is none stands here: U+" + std::string(character == "\u00a0"   ? "00A0"
                                                             : character == "\u3000" ? "3000"
                                                                                     : "200B");
    finding.help.emplace_back("replace it by a plain space; editors insert such when pasting");
  } else {
    finding.help.emplace_back("a key or a text with letters beyond A to Z stands in quotes");
  }
  return {std::move(finding)};
}

}  // namespace qlaunch
