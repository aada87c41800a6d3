// SPDX-License-Identifier: MIT
// TOML text to a tree, and what is wrong with a text before it is TOML. The one user of toml++.
// Does not read files.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/tree.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Bytes that no profile may hold (NUL, invalid UTF-8, letters beyond ASCII outside of quotes) and
/// nesting that no profile needs. A text
/// with findings must not reach the parser.
std::vector<Diagnostic> check_text(const SourcePtr& source);

struct ParsedToml {
  Node root;
  std::vector<Diagnostic> problems;  // the root is empty where there is one
};

/// check_text() and then the parser, which stops at the first thing it cannot read.
ParsedToml parse_toml(const SourcePtr& source);

/// A fragment such as `["2223:22"]` that stands behind `offset` characters of a one-line source.
/// Nothing where it is not one TOML value.
std::optional<Node> parse_toml_value(const SourcePtr& source, std::string_view fragment,
                                     int offset);

/// How deep tables and lists may be nested; the language itself needs four.
constexpr int deepest_nesting = 32;

}  // namespace qlaunch
