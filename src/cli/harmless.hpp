// SPDX-License-Identifier: MIT
// Bytes that a guest wrote, made harmless to the terminal they are shown on.
// Keeps no more than an unfinished escape sequence.
#pragma once

#include <string>
#include <string_view>

namespace qlaunch {

/// Drops colors and cursor movements (CSI sequences); other control characters but newline, tab and
/// a carriage return before a newline become visible. May be fed in pieces.
class Harmless {
 public:
  std::string feed(std::string_view bytes);
  /// What is left of an unfinished sequence, at the end.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace qlaunch
