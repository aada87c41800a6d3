// SPDX-License-Identifier: MIT
#include "cli/harmless.hpp"

#include "core/text.hpp"

#include <utility>

namespace qlaunch {
namespace {

constexpr char escape = '\x1b';
constexpr std::size_t longest_sequence = 64;

/// The length of the CSI sequence at the front, npos where it is not complete yet, 0 where it is
/// none.
std::size_t csi_length(std::string_view text) {
  if (text.size() < 2) return std::string_view::npos;
  if (text[1] != '[') return 0;
  for (std::size_t index = 2; index < text.size() && index < longest_sequence; ++index) {
    if (text[index] >= 0x40 && text[index] <= 0x7e) return index + 1;
    if (text[index] < 0x20 || text[index] > 0x3f) return 0;
  }
  return text.size() < longest_sequence ? std::string_view::npos : 0;
}

/// The end of the last whole UTF-8 character: the rest may be completed by the next piece.
std::size_t whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0U) == 0x80) continue;
    const std::size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return wanted > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

std::string Harmless::feed(std::string_view bytes) {
  const std::string all = std::exchange(pending_, {}) + std::string(bytes);
  std::string out, plain;
  const auto flush = [&] {
    out += printable_lines(plain);
    plain.clear();
  };
  std::size_t index = 0;
  for (; index < all.size(); ++index) {
    const auto rest = std::string_view(all).substr(index);
    if (rest.front() == escape) {
      const auto length = csi_length(rest);
      if (length == std::string_view::npos) break;
      if (length > 0) {
        index += length - 1;
        continue;
      }
    }
    if (rest.front() == '\t') {
      flush();
      out += '\t';
    } else if (rest.front() == '\r') {
      if (rest.size() == 1) break;
      // Alone it would let later text overwrite what was there.
      if (rest[1] != '\n') plain += '\n';
    } else {
      plain += rest.front();
    }
  }
  const auto whole = whole_characters(plain);
  pending_ = plain.substr(whole) + all.substr(index);
  plain.resize(whole);
  flush();
  return out;
}

std::string Harmless::finish() {
  auto rest = std::exchange(pending_, {});
  if (rest == "\r") rest.clear();
  return printable_lines(rest);
}

}  // namespace qlaunch
