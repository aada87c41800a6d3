// SPDX-License-Identifier: MIT
#include "profile/profile.hpp"

namespace qlaunch {

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
