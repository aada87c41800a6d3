// SPDX-License-Identifier: MIT
#include "profile/profile.hpp"

namespace qlaunch {

std::string_view word_of(DisplayType type) {
  switch (type) {
    case DisplayType::automatic:
      return "auto";
    case DisplayType::gtk:
      return "gtk";
    case DisplayType::sdl:
      return "sdl";
    case DisplayType::spice:
      return "spice";
    case DisplayType::vnc:
      return "vnc";
    case DisplayType::curses:
      return "curses";
    case DisplayType::none:
      break;
  }
  return "none";
}

Location Profile::where(const std::string& path) const {
  auto key = path;
  while (!key.empty()) {
    if (const auto found = places.find(key); found != places.end()) return found->second;
    // "disk[0].size" -> "disk[0]" -> "disk".
    const auto cut = key.find_last_of(".[");
    if (cut == std::string::npos) break;
    key.resize(cut);
  }
  return file;
}

}  // namespace qlaunch
