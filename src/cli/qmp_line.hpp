// SPDX-License-Identifier: MIT
// A QMP command as people type it: a name and JSON, or a name and key=value words. Sends nothing.
#pragma once

#include "cli/qmp_schema.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct QmpLine {
  std::string command;
  std::string arguments;  // a JSON object, or empty
};

/// The words of a line, quoted as in a shell. UsageError where a quote is not closed.
std::vector<std::string> split_words(std::string_view line);

/// From a whole line: `stop`, `cont {}`, `eject id=cd0 force=true`, or a complete QMP object with
/// "execute". UsageError where it cannot be read. `schema` is asked for only where values need a
/// type.
QmpLine read_qmp_line(std::string_view line, const std::function<const QmpSchema&()>& schema);

/// The same from the words of a command line.
QmpLine read_qmp_words(const std::vector<std::string>& words,
                       const std::function<const QmpSchema&()>& schema);

}  // namespace qlaunch
