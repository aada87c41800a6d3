// SPDX-License-Identifier: MIT
#include "core/units.hpp"

#include "core/text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace qlaunch {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array size_units{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"byte", 1},
    Unit{"bytes", 1},
    Unit{"k", kib},
    Unit{"kib", kib},
    Unit{"m", mib},
    Unit{"mib", mib},
    Unit{"g", gib},
    Unit{"gib", gib},
    Unit{"t", tib},
    Unit{"tib", tib},
    Unit{"kb", 1000},
    Unit{"mb", 1000 * 1000},
    Unit{"gb", 1000ULL * 1000 * 1000},
    Unit{"tb", 1000ULL * 1000 * 1000 * 1000},
};

constexpr std::array duration_units{
    Unit{"ms", 1},
    Unit{"s", 1000},
    Unit{"sec", 1000},
    Unit{"second", 1000},
    Unit{"seconds", 1000},
    Unit{"m", 60 * 1000},
    Unit{"min", 60 * 1000},
    Unit{"minute", 60 * 1000},
    Unit{"minutes", 60 * 1000},
    Unit{"h", 3600 * 1000},
    Unit{"hour", 3600 * 1000},
    Unit{"hours", 3600 * 1000},
    Unit{"d", 86400 * 1000ULL},
    Unit{"day", 86400 * 1000ULL},
    Unit{"days", 86400 * 1000ULL},
};

template <class Units>
const Unit* find_unit(const Units& units, std::string_view name) {
  const auto lower = lower_ascii(name);
  for (const auto& unit : units) {
    if (unit.name == lower) return &unit;
  }
  return nullptr;
}

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

/// One "number unit" pair taken off the front of a text.
struct Amount {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;        // digits behind the point …
  std::uint64_t fraction_scale = 1;  // … over this power of ten
  std::string_view unit;
};

/// Nothing is taken where the text does not open with a number.
bool take_amount(std::string_view& text, Amount& amount) {
  std::size_t index = 0;
  while (index < text.size() && is_digit(text[index])) ++index;
  const auto whole = parse_unsigned(text.substr(0, index));
  if (!whole) return false;
  amount.whole = *whole;
  text.remove_prefix(index);
  if (text.size() > 1 && text[0] == '.' && is_digit(text[1])) {
    text.remove_prefix(1);
    while (!text.empty() && is_digit(text[0])) {
      // Beyond nine digits nothing changes for any unit here.
      if (amount.fraction_scale < 1000000000) {
        amount.fraction = amount.fraction * 10 + static_cast<std::uint64_t>(text[0] - '0');
        amount.fraction_scale *= 10;
      }
      text.remove_prefix(1);
    }
  }
  text = trim(text);
  index = 0;
  while (index < text.size() && !is_digit(text[index]) && text[index] != ' ') ++index;
  amount.unit = text.substr(0, index);
  text = trim(text.substr(index));
  return true;
}

__extension__ using Wide = unsigned __int128;

/// Nothing where the result is not whole or does not fit.
bool scale(const Amount& amount, std::uint64_t factor, std::uint64_t& result) {
  const auto part = static_cast<Wide>(amount.fraction) * factor;
  if (part % amount.fraction_scale != 0) return false;
  const auto total = static_cast<Wide>(amount.whole) * factor + part / amount.fraction_scale;
  if (total > std::numeric_limits<std::int64_t>::max()) return false;
  result = static_cast<std::uint64_t>(total);
  return true;
}

std::string quoted(std::string_view text) {
  return '`' + std::string(text) + '`';
}

}  // namespace

std::uint64_t parse_size(std::string_view text) {
  constexpr std::string_view hint = "write a number and a unit, as in \"8 GiB\" or \"512 MiB\"";
  auto rest = trim(text);
  Amount amount;
  if (!take_amount(rest, amount) || !rest.empty()) {
    ValueError error(quoted(text) + " is not a size");
    error.help(std::string(hint));
    throw error;
  }
  const Unit* unit = find_unit(size_units, amount.unit);
  if (unit == nullptr) {
    ValueError error(quoted(amount.unit) + " is not a unit of size");
    error.help("use KiB, MiB, GiB or TiB (powers of 1024), or KB, MB, GB, TB (powers of 1000)");
    throw error;
  }
  std::uint64_t bytes = 0;
  if (!scale(amount, unit->factor, bytes)) {
    ValueError error(quoted(text) + " is not a whole number of bytes below 8 EiB");
    error.help(std::string(hint));
    throw error;
  }
  return bytes;
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array units{Unit{" TiB", tib}, Unit{" GiB", gib}, Unit{" MiB", mib},
                             Unit{" KiB", kib}};
  for (const auto& unit : units) {
    if (bytes >= unit.factor && bytes % unit.factor == 0)
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return std::to_string(bytes) + " bytes";
}

std::string format_size_rounded(std::uint64_t bytes) {
  constexpr std::array units{Unit{" TiB", tib}, Unit{" GiB", gib}, Unit{" MiB", mib},
                             Unit{" KiB", kib}};
  for (const auto& unit : units) {
    if (bytes < unit.factor) continue;
    const double value = static_cast<double>(bytes) / static_cast<double>(unit.factor);
    const int digits = bytes % unit.factor == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    std::array<char, 32> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
    return std::string(buffer.data(), static_cast<std::size_t>(length)) + std::string(unit.name);
  }
  return std::to_string(bytes) + " bytes";
}

Duration parse_duration(std::string_view text) {
  constexpr std::string_view hint = "write a number and a unit, as in \"90s\", \"2m\" or \"500ms\"";
  auto rest = trim(text);
  std::uint64_t total = 0;
  do {
    Amount amount;
    std::uint64_t part = 0;
    const Unit* unit = nullptr;
    if (take_amount(rest, amount)) {
      if (amount.unit.empty()) {
        ValueError error(quoted(text) + " has no unit");
        error.help(std::string(hint));
        throw error;
      }
      unit = find_unit(duration_units, amount.unit);
    }
    if (unit == nullptr || !scale(amount, unit->factor, part)) {
      ValueError error(quoted(text) + " is not a duration");
      error.help(std::string(hint));
      throw error;
    }
    total += part;
    // A century is more than any wait and keeps every sum in range.
    if (total > 100ULL * 366 * 86400 * 1000) {
      ValueError error(quoted(text) + " is longer than a century");
      error.help(std::string(hint));
      throw error;
    }
  } while (!rest.empty());
  return Duration(static_cast<std::int64_t>(total));
}

std::string format_duration(Duration duration) {
  constexpr std::array units{Unit{"d", 86400 * 1000ULL}, Unit{"h", 3600 * 1000},
                             Unit{"m", 60 * 1000}, Unit{"s", 1000}, Unit{"ms", 1}};
  auto rest = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (rest == 0) return "0s";
  std::string out;
  for (const auto& unit : units) {
    if (rest < unit.factor) continue;
    out += std::to_string(rest / unit.factor) + std::string(unit.name);
    rest %= unit.factor;
  }
  return out;
}

}  // namespace qlaunch
