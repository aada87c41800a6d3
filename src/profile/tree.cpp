// SPDX-License-Identifier: MIT
#include "profile/tree.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace qlaunch {

const Member* Node::member(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& each) { return each.key == key; });
  return found == members.end() ? nullptr : &*found;
}

Member* Node::member(std::string_view key) {
  return const_cast<Member*>(std::as_const(*this).member(key));
}

const Node* Node::find(std::string_view key) const {
  const auto* found = member(key);
  return found == nullptr ? nullptr : &found->value;
}

std::optional<std::string> Node::string_at(std::string_view key) const {
  const auto* found = find(key);
  if (found == nullptr || !found->is(Kind::string)) return std::nullopt;
  return found->text;
}

std::string_view kind_words(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::string:
      return "a string";
    case Node::Kind::integer:
      return "an integer";
    case Node::Kind::real:
      return "a number with a fraction";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::date:
      return "a date";
    case Node::Kind::array:
      return "a list";
    case Node::Kind::table:
      break;
  }
  return "a table";
}

Location place_within(const Node& node, std::size_t offset, std::size_t length) {
  const Location& whole = node.where;
  if (!whole || whole.line == 0) return whole;
  const auto line = decode_utf8_lossy(whole.source->line(whole.line));
  const auto value = decode_utf8_lossy(node.text);
  const auto from = static_cast<std::size_t>(std::max(whole.column - 1, 0));
  if (from > line.size()) return whole;
  const auto written =
      std::u32string_view(line).substr(from, static_cast<std::size_t>(whole.length));
  // A bare word of --set has no quotes, a string has one or three on each side.
  for (const std::size_t quotes : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
    if (written.size() != value.size() + 2 * quotes ||
        written.substr(quotes, value.size()) != value)
      continue;
    const auto text = std::string_view(node.text);
    const auto before = decode_utf8_lossy(text.substr(0, std::min(offset, text.size()))).size();
    const auto marked =
        decode_utf8_lossy(text.substr(std::min(offset, text.size()), length)).size();
    Location part = whole;
    part.column += static_cast<int>(quotes + before);
    part.length = std::max(1, static_cast<int>(marked));
    return part;
  }
  return whole;
}

Node make_string(std::string text, Location where) {
  Node node;
  node.kind = Node::Kind::string;
  node.text = std::move(text);
  node.where = std::move(where);
  return node;
}

}  // namespace qlaunch
