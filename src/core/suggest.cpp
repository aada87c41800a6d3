// SPDX-License-Identifier: MIT
#include "core/suggest.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace qlaunch {

int edit_distance(std::string_view left, std::string_view right) {
  const auto rows = left.size() + 1;
  const auto columns = right.size() + 1;
  std::vector<int> cells(rows * columns);
  const auto at = [&](std::size_t row, std::size_t column) -> int& {
    return cells[row * columns + column];
  };
  for (std::size_t row = 0; row < rows; ++row) at(row, 0) = static_cast<int>(row);
  for (std::size_t column = 0; column < columns; ++column) at(0, column) = static_cast<int>(column);
  for (std::size_t row = 1; row < rows; ++row) {
    for (std::size_t column = 1; column < columns; ++column) {
      const bool same = left[row - 1] == right[column - 1];
      int best = std::min({at(row - 1, column) + 1, at(row, column - 1) + 1,
                           at(row - 1, column - 1) + (same ? 0 : 1)});
      if (row > 1 && column > 1 && left[row - 1] == right[column - 2] &&
          left[row - 2] == right[column - 1])
        best = std::min(best, at(row - 2, column - 2) + 1);
      at(row, column) = best;
    }
  }
  return cells.back();
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  // Nobody mistypes a word this long, and the table would be large.
  if (word.size() > 64) return std::nullopt;
  const auto plain = [](std::string_view text) {
    std::string lower = lower_ascii(text);
    std::replace(lower.begin(), lower.end(), '-', '_');
    return lower;
  };
  const std::string wanted = plain(word);
  std::optional<std::string> best;
  int best_distance = 0;
  for (const auto& candidate : candidates) {
    const int distance = edit_distance(wanted, plain(candidate));
    const auto longer = static_cast<int>(std::max(word.size(), candidate.size()));
    if (distance > std::max(1, longer / 3)) continue;
    if (distance >= longer) continue;
    if (!best || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace qlaunch
