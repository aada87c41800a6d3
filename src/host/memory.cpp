// SPDX-License-Identifier: MIT
#include "host/memory.hpp"

#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"

namespace qlaunch {

std::optional<std::uint64_t> available_memory() {
  constexpr std::string_view key = "MemAvailable:";
  const auto text = try_read_file("/proc/meminfo").value_or("");
  for (const auto& line : split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    const auto value = trim(std::string_view(line).substr(key.size()));
    if (const auto amount = parse_unsigned(value.substr(0, value.find(' ')))) return *amount * kib;
  }
  return std::nullopt;
}

}  // namespace qlaunch
