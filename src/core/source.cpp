// SPDX-License-Identifier: MIT
#include "core/source.hpp"

namespace qlaunch {

std::string_view Source::line(int number) const {
  std::string_view rest = text;
  for (int current = 1; number >= 1; ++current) {
    const auto end = rest.find('\n');
    if (current == number) {
      auto found = rest.substr(0, end);
      if (found.ends_with('\r')) found.remove_suffix(1);
      return found;
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return {};
}

std::string Location::text() const {
  if (!source) return {};
  if (line == 0) return source->name;
  return short_text() + ':' + std::to_string(column);
}

std::string Location::short_text() const {
  if (!source) return {};
  return line == 0 ? source->name : source->name + ':' + std::to_string(line);
}

}  // namespace qlaunch
