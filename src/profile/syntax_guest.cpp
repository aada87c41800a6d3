// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "profile/syntax.hpp"

#include <algorithm>

namespace qlaunch {

std::optional<Problem> check_guest_path(std::string_view text) {
  if (text.starts_with('/')) return check_one_line(text);
  return Problem{in_backticks(text) + " is not an absolute path",
                 {"write a path of the guest such as \"/etc/motd\""}};
}

std::optional<Problem> check_file_mode(std::string_view text) {
  const bool octal =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
  if (octal && (text.size() == 3 || text.size() == 4)) return std::nullopt;
  return Problem{in_backticks(text) + " are no permissions",
                 {"write three or four octal digits, as in \"0644\""}};
}

std::optional<Problem> check_owner(std::string_view text) {
  const auto colon = text.find(':');
  if (auto problem = check_user(text.substr(0, colon))) return problem;
  if (colon == std::string_view::npos) return std::nullopt;
  auto problem = check_user(text.substr(colon + 1));
  if (problem) problem->offset = colon + 1;
  return problem;
}

std::optional<Problem> check_proxy(std::string_view text) {
  if (text == "none" || text == "host") return std::nullopt;
  if (auto problem = check_one_line(text)) return problem;
  for (const std::string_view scheme : {"http://", "https://", "socks5://", "socks5h://"}) {
    if (text.starts_with(scheme) && text.size() > scheme.size() &&
        text.find(' ') == std::string_view::npos)
      return std::nullopt;
  }
  return Problem{in_backticks(text) + " is no proxy",
                 {"write a URL such as \"http://proxy:3128\", \"host\" or \"none\""}};
}

std::optional<Problem> check_ca_certs(std::string_view text) {
  if (text == "host") return std::nullopt;
  if (auto problem = check_one_line(text)) return problem;
  if (text.find_first_of("/~.$") == 0) return std::nullopt;
  return Problem{in_backticks(text) + " is no path",
                 {"write a path such as \"./company-ca.pem\", or \"host\""}};
}

std::optional<Problem> check_variable_value(std::string_view text) {
  const auto bad = std::find_if(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (bad == text.end()) return std::nullopt;
  return Problem{"a variable for every login cannot hold a newline or another control character",
                 {"/etc/environment has one line for each; set it in a [[guest.file]] such as "
                  "\"/etc/profile.d/mine.sh\""},
                 static_cast<std::size_t>(bad - text.begin()),
                 1};
}

}  // namespace qlaunch
