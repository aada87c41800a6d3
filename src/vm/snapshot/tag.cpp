// SPDX-License-Identifier: MIT
#include "vm/snapshot/tag.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace qlaunch {
namespace {

std::string problem_of(const std::string& tag) {
  if (tag.empty()) return "it is empty";
  if (tag.size() > longest_tag)
    return "it has " + std::to_string(tag.size()) + " bytes, and " + std::to_string(longest_tag) +
           " is the most";
  if (first_invalid_utf8(tag)) return "it is not UTF-8";
  if (tag.front() == '-') return "it begins with a dash";
  const auto any = [&](auto test) { return std::any_of(tag.begin(), tag.end(), test); };
  if (any([](char each) { return each == '/'; })) return "it has a slash in it";
  if (any([](char each) { return each == ' '; })) return "it has a space in it";
  if (any([](char each) { return static_cast<unsigned char>(each) < 0x20 || each == 0x7f; }))
    return "it has a control character in it";
  if (!any([](char each) { return each < '0' || each > '9'; }))
    return "it is a number, which qemu-img takes for an id";
  return {};
}

}  // namespace

void check_tag(const std::string& tag) {
  const auto problem = problem_of(tag);
  if (problem.empty()) return;
  throw UsageError(in_backticks(printable(tag)) + " cannot be the tag of a snapshot: " + problem)
      .help("a tag is 1 to 128 bytes without spaces, `/` or a leading dash, and not only digits");
}

std::string tag_for(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%d_%H-%M-%S", &parts);
  return {text.data(), length};
}

std::string before_revert_tag(std::chrono::system_clock::time_point time) {
  return "before-revert-" + tag_for(time);
}

}  // namespace qlaunch
