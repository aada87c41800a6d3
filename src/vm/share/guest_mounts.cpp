// SPDX-License-Identifier: MIT
#include "vm/share/guest_mounts.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace qlaunch {
namespace {

/// The kernel writes a space, a tab, a newline and a backslash as `\040`.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto digit = [&](std::size_t place) {
      return place < text.size() && text[place] >= '0' && text[place] <= '7';
    };
    if (text[at] != '\\' || !digit(at + 1) || !digit(at + 2) || !digit(at + 3)) {
      out += text[at];
      continue;
    }
    out += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + text[at + 3] -
                             '0');
    at += 3;
  }
  return out;
}

/// Each word once, and none that only tells of the system.
std::string joined_options(std::string_view mount, std::string_view system) {
  std::vector<std::string> out;
  for (const auto part : {mount, system}) {
    for (const auto& word : split(part, ',')) {
      const bool known = std::find(out.begin(), out.end(), word) != out.end();
      if (!word.empty() && word != "seclabel" && !known) out.emplace_back(word);
    }
  }
  // One that is mounted read-only says so of the mount; the file system itself may say "rw".
  if (!out.empty() && out.front() == "ro") std::erase(out, "rw");
  return join(out, ",");
}

std::optional<GuestMount> parse_line(std::string_view line) {
  const auto words = split(line, ' ');
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (dash - words.begin() < 6 || words.end() - dash < 4) return std::nullopt;
  return GuestMount{unescaped(dash[2]), unescaped(dash[1]), unescaped(words[3]),
                    unescaped(words[4]), joined_options(words[5], dash[3])};
}

bool lies_in(std::string_view path, const std::string& folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

}  // namespace

std::vector<GuestMount> parse_mountinfo(std::string_view text) {
  std::vector<GuestMount> out;
  for (const auto& line : split(text, '\n')) {
    if (auto mount = parse_line(line)) out.push_back(std::move(*mount));
  }
  return out;
}

std::vector<GuestUser> users_of(std::string_view listing, const std::string& folder) {
  constexpr std::string_view proc = "/proc/";
  constexpr std::string_view arrow = " -> ";
  std::vector<GuestUser> out;
  std::string heading;  // "/proc/12/fd" above the lines of a folder
  for (const auto& line : split(listing, '\n')) {
    if (line.starts_with(proc) && line.ends_with(':')) heading = line.substr(0, line.size() - 1);
    const auto target = line.find(arrow);
    if (target == std::string_view::npos) continue;
    const auto path = line.substr(target + arrow.size());
    if (!lies_in(path, folder)) continue;
    auto link = line.substr(0, target);
    const auto named = link.rfind(proc);
    link = named == std::string_view::npos ? heading : link.substr(named);
    if (!link.starts_with(proc)) continue;
    const std::string rest(link.substr(proc.size()));
    GuestUser user{std::atol(rest.c_str()), std::string(path), rest.substr(rest.rfind('/') + 1)};
    const bool known =
        std::any_of(out.begin(), out.end(), [&](const auto& each) { return each.pid == user.pid; });
    if (user.pid > 0 && !known) out.push_back(std::move(user));
  }
  return out;
}

}  // namespace qlaunch
