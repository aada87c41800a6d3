// SPDX-License-Identifier: MIT
#include "host/account.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

namespace qlaunch {

// Not getpwuid: it loads the system's name services at run time, which a program that is to run on
// any Linux, linked statically, cannot.
std::optional<Account> account_of(uid_t user, const std::string& file) {
  const auto text = try_read_file(file);
  if (!text) return std::nullopt;
  for (const auto& line : split(*text, '\n')) {
    // name:password:uid:gid:description:home:shell
    const auto fields = split(line, ':');
    if (fields.size() == 7 && parse_unsigned(fields[2]) == user)
      return Account{fields[0], fields[5]};
  }
  return std::nullopt;
}

}  // namespace qlaunch
