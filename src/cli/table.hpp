// SPDX-License-Identifier: MIT
// Rows of text in aligned columns that fit a terminal. Knows nothing of what they mean.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct Column {
  std::string heading;
  bool right = false;
  /// Where the table is too wide, columns go by this number, highest first; 0 stays and is cut.
  int dispensable = 0;
};

/// Lines ended by newlines, nothing for no rows. `width`: nothing for no limit. Cells must be
/// printable.
std::string table(std::vector<Column> columns, std::vector<std::vector<std::string>> rows,
                  std::optional<int> width);

/// "name   value" lines with aligned values; a value of several lines is indented below the first;
/// pairs with an empty value are left out. Values are folded where a width is given.
std::string facts_table(const std::vector<std::pair<std::string, std::string>>& facts,
                        std::optional<int> width, const std::string& margin = "");

}  // namespace qlaunch
