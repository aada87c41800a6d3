// SPDX-License-Identifier: MIT
// A TOML text as a light tree whose every key and value knows its place. Knows no key's meaning.
#pragma once

#include "core/source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct Member;

struct Node {
  enum class Kind { string, integer, real, boolean, date, array, table };

  Kind kind = Kind::table;
  std::string text;  // a string's value; of a date, how it is written
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<Node> items;      // of an array
  std::vector<Member> members;  // of a table, in the order of the file
  /// The value; of a table with a header, the header.
  Location where;

  bool is(Kind wanted) const { return kind == wanted; }
  const Member* member(std::string_view key) const;
  Member* member(std::string_view key);
  const Node* find(std::string_view key) const;
  /// The value of this member where it is a string.
  std::optional<std::string> string_at(std::string_view key) const;
};

struct Member {
  std::string key;
  Location key_place;
  Node value;
  /// Given by a rule (the name of a nameless disk), by no file.
  bool implied = false;
};

/// "an integer", "a list" …: what stands in the file, for messages.
std::string_view kind_words(Node::Kind kind);

/// The place of some bytes of a string's value; the whole value where the file writes it with
/// escapes or over several lines.
Location place_within(const Node& node, std::size_t offset, std::size_t length);

/// A string that stands at a place.
Node make_string(std::string text, Location where);

}  // namespace qlaunch
