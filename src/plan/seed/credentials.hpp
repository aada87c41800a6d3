// SPDX-License-Identifier: MIT
// What a guest is told as systemd credentials, for those that have neither cloud-init nor Lima's
// init. Hands nothing over.
#pragma once

#include "plan/seed/told.hpp"

#include <string>
#include <utility>
#include <vector>

namespace qlaunch::seed {

/// Those that a user other than root can be told: what the profile names, then what of the host's
/// keys there is room for.
struct KeysWithRoom {
  std::vector<std::string> keys, left_out;
  bool named_fit = true;
};
KeysWithRoom keys_with_room(const Told& told);

/// Names and texts. systemd-sysusers makes the user and systemd-tmpfiles the files, at each boot
/// before anybody can log in; both know these credentials since systemd 252.
std::vector<std::pair<std::string, std::string>> credentials(const Told& told);

}  // namespace qlaunch::seed
