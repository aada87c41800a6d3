// SPDX-License-Identifier: MIT
#include "plan/seed/public_keys.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>

namespace qlaunch::seed {
namespace {

bool is_key(std::string_view line) {
  constexpr std::array<std::string_view, 3> kinds{"ssh-", "ecdsa-", "sk-"};
  const bool known = std::any_of(kinds.begin(), kinds.end(),
                                 [&](std::string_view kind) { return line.starts_with(kind); });
  const auto space = line.find(' ');
  if (!known || space == std::string_view::npos) return false;
  const auto body = line.substr(space + 1, line.find(' ', space + 1) - space - 1);
  // Every one begins with the length of its kind's name.
  return body.starts_with("AAAA") && body.size() > 16;
}

}  // namespace

PublicKeys public_keys(std::string_view text) {
  PublicKeys out;
  if (text.find("PRIVATE KEY") != std::string_view::npos ||
      text.starts_with("PuTTY-User-Key-File")) {
    out.problem = "a private key";
    return out;
  }
  for (const auto& each : split(text, '\n')) {
    const auto line = trim(each);
    if (line.empty() || line.front() == '#') continue;
    if (!is_key(line) || first_invalid_utf8(line)) {
      out.problem = "no file of public ssh keys";
      out.lines.clear();
      return out;
    }
    out.lines.emplace_back(line);
  }
  if (out.lines.empty()) out.problem = "a file without a key";
  return out;
}

std::string key_body(std::string_view line) {
  const auto space = line.find(' ');
  return std::string(line.substr(0, line.find(' ', space + 1)));
}

}  // namespace qlaunch::seed
