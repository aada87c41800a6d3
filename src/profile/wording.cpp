// SPDX-License-Identifier: MIT
#include "profile/wording.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

#include <algorithm>

namespace qlaunch {

std::string in_quotes(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::vector<std::string> words_of(const Key& key) {
  std::vector<std::string> words;
  for (const auto& choice : key.choices) {
    if (!choice.hidden) words.push_back(in_quotes(choice.word));
  }
  return words;
}

std::optional<std::string> redressed(const Key& key, const Node& node) {
  const auto write = [&](const std::string& value) {
    return "write " + std::string(key.name) + " = " + value;
  };
  const bool text = node.is(Node::Kind::string);
  const bool number = node.is(Node::Kind::integer);
  switch (key.type) {
    case KeyType::boolean:
      if (text) {
        const auto word = lower_ascii(node.text);
        if (word == "true" || word == "yes" || word == "on") return write("true");
        if (word == "false" || word == "no" || word == "off") return write("false");
      }
      if (number && (node.integer == 0 || node.integer == 1))
        return write(node.integer == 1 ? "true" : "false");
      return std::nullopt;
    case KeyType::integer:
      if (text && parse_unsigned(node.text)) return write(node.text) + ", without quotes";
      return std::nullopt;
    case KeyType::size:
      if (number && node.integer > 0) {
        // Small numbers are meant as the unit in which QEMU counts memory, or as gigabytes.
        const auto* unit = node.integer < 256 ? " GiB" : node.integer < 1 << 24 ? " MiB" : "";
        return write(in_quotes(std::to_string(node.integer) + unit));
      }
      return std::nullopt;
    case KeyType::duration:
      if (number && node.integer > 0) return write(in_quotes(std::to_string(node.integer) + 's'));
      return std::nullopt;
    case KeyType::strings:
    case KeyType::choices:
      if (text) return write('[' + toml_quote(node.text) + ']');
      if (number) return write('[' + in_quotes(std::to_string(node.integer)) + ']');
      return std::nullopt;
    case KeyType::string:
      if (number) return write(in_quotes(std::to_string(node.integer)));
      return std::nullopt;
    case KeyType::choice:
    case KeyType::words:
    case KeyType::map:
      break;
  }
  return std::nullopt;
}

std::string multiple_hint(const Key& key, const std::string& text, std::uint64_t size) {
  const auto below = size / key.multiple * key.multiple;
  if (parse_unsigned(text)) {
    // As a number of bytes it is hardly meant.
    const auto* unit = key.multiple < mib || size < 256 ? " GiB" : " MiB";
    return "write a unit, as in " + in_quotes(text + unit);
  }
  if (key.multiple < mib) return "disks are made of sectors of 512 bytes: use MiB or GiB";
  const auto nearest_below = in_quotes(std::to_string(below / mib) + " MiB");
  // "8GB" is nearly always meant as 8 GiB.
  const auto lower = lower_ascii(text);
  const std::string_view digits =
      std::string_view(text).substr(0, text.find_first_not_of("0123456789."));
  const auto unit = trim(std::string_view(lower).substr(digits.size()));
  if (unit.size() == 2 && unit[1] == 'b' && !digits.empty()) {
    const char letter = static_cast<char>(unit[0] - 'a' + 'A');
    return "write " + in_quotes(std::string(digits) + ' ' + letter + "iB") + ", or " +
           nearest_below + ", the nearest below";
  }
  return "write " + (below > 0 ? nearest_below + " or " : "") +
         in_quotes(std::to_string(below / mib + 1) + " MiB");
}

std::string wanted(const Key& key) {
  if (!key.wants.empty()) return std::string(key.wants);
  switch (key.type) {
    case KeyType::string:
      return "a string";
    case KeyType::boolean:
      return "true or false";
    case KeyType::integer:
      return "an integer";
    case KeyType::size:
      return "a size such as \"8 GiB\"";
    case KeyType::duration:
      return "a duration such as \"90s\"";
    case KeyType::choice:
      return enumerate(words_of(key), "or");
    case KeyType::strings:
      return "a list of strings";
    case KeyType::choices:
      return "a list of " + enumerate(words_of(key));
    case KeyType::words:
      return "a string or a list of strings";
    case KeyType::map:
      break;
  }
  return "a table of strings";
}

}  // namespace qlaunch
