// SPDX-License-Identifier: MIT
#include "plan/base64.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace qlaunch::planner {

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t index = 0; index < bytes.size(); index += 3) {
    std::array<std::uint32_t, 3> group{};
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - index);
    for (std::size_t part = 0; part < count; ++part)
      group[part] = static_cast<unsigned char>(bytes[index + part]);
    const std::uint32_t bits = (group[0] << 16U) | (group[1] << 8U) | group[2];
    for (std::size_t part = 0; part < 4; ++part)
      out += part <= count ? digits[(bits >> (18U - 6U * part)) & 63U] : '=';
  }
  return out;
}

}  // namespace qlaunch::planner
