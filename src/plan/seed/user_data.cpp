// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/base64.hpp"
#include "plan/identity.hpp"
#include "plan/seed/texts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace qlaunch::seed {
namespace {

/// What the first line says, and how cloud-init is told of it.
constexpr std::array<std::pair<std::string_view, const char*>, 3> kinds{
    {{"#cloud-config", "text/cloud-config"},
     {"#!", "text/x-shellscript"},
     {"## template: jinja", "text/jinja2"}}};

const char* kind_of(std::string_view text) {
  for (const auto& [begin, kind] : kinds) {
    if (text.starts_with(begin)) return kind;
  }
  return nullptr;
}

std::string wrapped_base64(const std::string& text) {
  constexpr std::size_t width = 76;
  const auto all = planner::base64(text);
  std::string out;
  for (std::size_t at = 0; at < all.size(); at += width) out += all.substr(at, width) + '\n';
  return out;
}

}  // namespace

std::optional<UserDataProblem> user_data_problem(const std::string& text) {
  if (trim(text).empty()) return UserDataProblem{"is empty", "remove `user_data`"};
  if (const auto bad = first_invalid_utf8(text); bad || text.find('\0') != std::string::npos)
    return UserDataProblem{"is no text",
                           "write `user_data_merged = false` to hand it over as it is"};
  const std::string_view first = std::string_view(text).substr(0, text.find('\n'));
  const auto* kind = kind_of(text);
  if (kind == nullptr)
    return UserDataProblem{
        "is no cloud-config: its first line is " + in_backticks(printable(first.substr(0, 60))),
        "its first line has to be `#cloud-config`, or `#!` and an interpreter; "
        "`user_data_merged = false` hands it over as it is"};
  if (kind != kinds[0].second) return std::nullopt;
  if (first.starts_with("#cloud-config-archive"))
    return UserDataProblem{"is an archive of several files, which is not merged",
                           "write `user_data_merged = false` to hand it over as it is"};
  int number = 0;
  for (const auto& line : split(text, '\n')) {
    ++number;
    // Behind spaces it may be text of a block scalar.
    if (line.starts_with('\t') && !trim(line).empty())
      return UserDataProblem{"is no YAML: line " + std::to_string(number) + " begins with a tab",
                             "YAML is indented with spaces"};
  }
  return std::nullopt;
}

std::string merged_user_data(const std::string& own, const std::string& told) {
  // A line of base64 never looks like it, and what is told would have to hold its own hash.
  const auto boundary = "qlaunch-" + hexadecimal(planner::stable_hash({own, told}), 16);
  const auto* kind = kind_of(own);
  return "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\nMIME-Version: 1.0\n\n--" +
         boundary + "\nContent-Type: " + (kind == nullptr ? kinds[0].second : kind) +
         "; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0\n\n" +
         wrapped_base64(own) + "\n--" + boundary +
         "\nContent-Type: text/cloud-config; charset=\"us-ascii\"\n"
         "Content-Transfer-Encoding: 7bit\nMIME-Version: 1.0\n"
         "Merge-Type: list(prepend)+dict(no_replace,recurse_list)+str()\n\n" +
         told + "\n--" + boundary + "--\n";
}

}  // namespace qlaunch::seed
