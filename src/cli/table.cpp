// SPDX-License-Identifier: MIT
#include "cli/table.hpp"

#include "cli/markdown.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <numeric>

namespace qlaunch {
namespace {

constexpr int gap = 2;
constexpr int narrowest_cut = 8;

using Rows = std::vector<std::vector<std::string>>;

std::string spaces(int count) {
  return std::string(static_cast<std::size_t>(std::max(count, 0)), ' ');
}

std::vector<int> widths_of(const std::vector<Column>& columns, const Rows& rows) {
  std::vector<int> widths;
  for (std::size_t index = 0; index < columns.size(); ++index) {
    int width = display_width(columns[index].heading);
    for (const auto& row : rows) width = std::max(width, display_width(row[index]));
    widths.push_back(width);
  }
  return widths;
}

int total(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(), 0) +
         gap * (static_cast<int>(widths.size()) - 1);
}

void drop_column(std::size_t index, std::vector<Column>& columns, Rows& rows) {
  const auto at = static_cast<std::ptrdiff_t>(index);
  columns.erase(columns.begin() + at);
  for (auto& row : rows) row.erase(row.begin() + at);
}

/// The text cut to this many columns, with "..." where something is gone.
std::string cut(const std::string& text, int width) {
  if (display_width(text) <= width) return text;
  auto characters = decode_utf8_lossy(text);
  std::string out;
  do {
    characters.pop_back();
    out = encode_utf8(characters) + "...";
  } while (!characters.empty() && display_width(out) > width);
  return out;
}

}  // namespace

std::string table(std::vector<Column> columns, Rows rows, std::optional<int> width) {
  if (rows.empty()) return {};
  auto widths = widths_of(columns, rows);
  while (width && total(widths) > *width) {
    const auto worst = std::max_element(
        columns.begin(), columns.end(),
        [](const auto& left, const auto& right) { return left.dispensable < right.dispensable; });
    if (worst->dispensable == 0) break;
    drop_column(static_cast<std::size_t>(worst - columns.begin()), columns, rows);
    widths = widths_of(columns, rows);
  }
  // What is left is needed: the widest column gives way.
  while (width && total(widths) > *width) {
    auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= narrowest_cut) break;
    --*widest;
  }
  std::string out;
  const auto add_row = [&](const auto& text_of) {
    std::string line;
    for (std::size_t index = 0; index < columns.size(); ++index) {
      const auto text = cut(text_of(index), widths[index]);
      const auto padding = spaces(widths[index] - display_width(text));
      if (index > 0) line += spaces(gap);
      line += columns[index].right ? padding + text : text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  add_row([&](std::size_t index) { return columns[index].heading; });
  for (const auto& row : rows) add_row([&](std::size_t index) { return row[index]; });
  return out;
}

std::string facts_table(const std::vector<std::pair<std::string, std::string>>& facts,
                        std::optional<int> width, const std::string& margin) {
  int names = 0;
  for (const auto& [name, value] : facts) {
    if (!value.empty()) names = std::max(names, display_width(name));
  }
  const auto indent = margin + spaces(names + gap);
  std::string out;
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    out += margin + name + spaces(names + gap - display_width(name));
    bool first = true;
    for (const auto& line : split(value, '\n')) {
      if (!first) out += indent;
      first = false;
      out += (width ? fold_prose(line, *width - display_width(indent), indent) : line) + '\n';
    }
  }
  return out;
}

}  // namespace qlaunch
