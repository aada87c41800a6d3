// SPDX-License-Identifier: MIT
// Texts that messages point into, and places in them. Does not read files.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace qlaunch {

/// One text with a name: a profile file, or the words of a `--set`.
struct Source {
  std::string name;
  std::string text;

  /// The line with this number (from 1), without its end; empty where there is none.
  std::string_view line(int number) const;
};

using SourcePtr = std::shared_ptr<const Source>;

/// A stretch of one line. Columns count characters (code points) from 1. `line` is 0 where the
/// whole source is meant, e.g. for a file that cannot be read.
struct Location {
  SourcePtr source;
  int line = 0;
  int column = 0;
  int length = 1;

  explicit operator bool() const { return source != nullptr; }

  /// "file:line:column", as much of it as is known.
  std::string text() const;
  /// "file:line", what `args --explain` and tables have room for.
  std::string short_text() const;
};

}  // namespace qlaunch
