// SPDX-License-Identifier: MIT
// A user's entry in /etc/passwd, for where the environment does not say. Asks no directory service:
// whoever logs in through one has HOME and USER.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace qlaunch {

struct Account {
  std::string name, home;
};

std::optional<Account> account_of(uid_t user, const std::string& file = "/etc/passwd");

}  // namespace qlaunch
