// SPDX-License-Identifier: MIT
// A line of a VM's event journal in words for people. Reads no file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

struct EventLine {
  std::string time, event;
  std::string words;   // what it means, or the event's data as JSON where nobody knows
  bool known = false;  // the former
};

/// Nothing for a line that is no event, such as one that was cut off.
std::optional<EventLine> read_event(std::string_view line);

}  // namespace qlaunch
