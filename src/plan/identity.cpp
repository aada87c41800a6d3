// SPDX-License-Identifier: MIT
#include "plan/identity.hpp"

#include "core/text.hpp"

namespace qlaunch::planner {

namespace {

constexpr std::size_t longest_id = 31;

bool is_id_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '-' || character == '.' ||
         character == '_';
}

}  // namespace

std::uint64_t stable_hash(const std::vector<std::string_view>& parts) {
  constexpr std::uint64_t offset = 0xcbf29ce484222325U;
  constexpr std::uint64_t prime = 0x100000001b3U;
  std::uint64_t hash = offset;
  const auto take = [&hash](unsigned char byte) { hash = (hash ^ byte) * prime; };
  for (const auto part : parts) {
    for (const char character : part) take(static_cast<unsigned char>(character));
    take(0);
  }
  // FNV's low bits depend on the last bytes too weakly for three bytes of a MAC: stir once more.
  hash ^= hash >> 32U;
  hash *= 0x9e3779b97f4a7c15U;
  return hash ^ (hash >> 29U);
}

std::string derived_mac(std::string_view vm, std::string_view network,
                        std::string_view machine_id) {
  const auto hash = stable_hash({"mac", vm, network, machine_id});
  return "52:54:00:" + hexadecimal((hash >> 16U) & 0xffU, 2) + ':' +
         hexadecimal((hash >> 8U) & 0xffU, 2) + ':' + hexadecimal(hash & 0xffU, 2);
}

std::string derived_uuid(std::string_view vm, std::string_view machine_id) {
  const auto high = stable_hash({"uuid-high", vm, machine_id});
  const auto low = stable_hash({"uuid-low", vm, machine_id});
  return hexadecimal(high >> 32U, 8) + '-' + hexadecimal((high >> 16U) & 0xffffU, 4) + "-8" +
         hexadecimal(high & 0xfffU, 3) + '-' + hexadecimal(((low >> 48U) & 0x3fffU) | 0x8000U, 4) +
         '-' + hexadecimal(low & 0xffffffffffffU, 12);
}

std::string qemu_id(std::string_view prefix, std::string_view name) {
  bool fits = !name.empty() && prefix.size() + name.size() <= longest_id;
  for (const char character : name) fits = fits && is_id_character(character);
  if (fits) return std::string(prefix) + std::string(name);
  return std::string(prefix) + hexadecimal(stable_hash({name}), 16);
}

}  // namespace qlaunch::planner
