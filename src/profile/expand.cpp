// SPDX-License-Identifier: MIT
#include "profile/expand.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"

#include <array>

namespace qlaunch {
namespace {

bool opens_name(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         character == '_';
}

bool in_name(char character) {
  return opens_name(character) || (character >= '0' && character <= '9');
}

}  // namespace

Expanded expand_variables(
    std::string_view text, const std::string& home,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  Expanded result;
  std::size_t at = 0;
  if (text.starts_with('~')) {
    if (text.size() > 1 && text[1] != '/') {
      const auto end = std::min(text.find('/'), text.size());
      result.problem = Problem{in_backticks(text.substr(0, end)) + " is not expanded: only `~` is",
                               {"write the home folder of that user as a path"},
                               0,
                               end};
      return result;
    }
    if (home.empty()) {
      result.problem = Problem{
          "`~` has no meaning here: HOME is not set", {"set HOME, or write the whole path"}, 0, 1};
      return result;
    }
    result.text = home;
    at = 1;
  }
  while (at < text.size()) {
    if (text[at] != '$') {
      result.text += text[at++];
      continue;
    }
    const auto start = at++;
    if (at < text.size() && text[at] == '$') {
      result.text += text[at++];
      continue;
    }
    const bool braces = at < text.size() && text[at] == '{';
    if (braces) ++at;
    const auto name_start = at;
    while (at < text.size() && in_name(text[at])) ++at;
    const std::string name(text.substr(name_start, at - name_start));
    const bool closed = !braces || (at < text.size() && text[at] == '}');
    if (braces && closed) ++at;
    if (name.empty() || !opens_name(name[0]) || !closed) {
      result.problem =
          Problem{in_backticks(text.substr(start, std::max<std::size_t>(at - start, 1))) +
                      " is not a variable",
                  {"write $NAME or ${NAME}; a dollar that means itself is $$"},
                  start,
                  std::max<std::size_t>(at - start, 1)};
      return result;
    }
    const auto value = environment ? environment(name) : std::nullopt;
    if (!value) {
      result.problem = Problem{
          "the variable " + in_backticks(name) + " is not set",
          {"set it, as in " + name + "=… qlaunch up PROFILE; a dollar that means itself is $$"},
          start,
          at - start};
      return result;
    }
    result.text += *value;
  }
  return result;
}

std::string absolute_path(std::string_view path, std::string_view folder) {
  const std::string whole =
      path.starts_with('/') ? std::string(path) : std::string(folder) + '/' + std::string(path);
  std::string out;
  for (const auto& part : split(whole, '/')) {
    if (part.empty() || part == ".") continue;
    out += '/' + part;
  }
  return out.empty() ? "/" : out;
}

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

bool is_url(std::string_view text) {
  return text.find("://") != std::string_view::npos;
}
bool is_builtin_image(std::string_view text) {
  return text.starts_with("builtin:");
}

bool is_image_path(std::string_view text) {
  if (is_url(text) || is_builtin_image(text)) return false;
  if (text.find('/') != std::string_view::npos || text.starts_with('~') || text.starts_with('$'))
    return true;
  constexpr std::array<std::string_view, 8> suffixes{".qcow2", ".img", ".raw",  ".iso",
                                                     ".vmdk",  ".vdi", ".vhdx", ".qcow"};
  const auto lower = lower_ascii(text);
  for (const auto suffix : suffixes) {
    if (lower.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace qlaunch
