// SPDX-License-Identifier: MIT
#include "vm/move_paths.hpp"

#include "core/quote.hpp"

#include <set>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

/// As it stands within JSON text, without the quotes.
std::string in_json(const std::string& path) {
  const auto text = Json(path).dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

/// Wherever the folder stands in a word of a command line: alone, in a comma list, in JSON.
void replace_folder(std::string& text, const std::string& from, const std::string& to) {
  constexpr std::string_view before = "=:,\"'";
  constexpr std::string_view after = "/,\"'";
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
    const auto end = at + from.size();
    const bool begins = at == 0 || before.find(text[at - 1]) != std::string_view::npos;
    const bool ends = end == text.size() || after.find(text[end]) != std::string_view::npos;
    if (begins && ends) text.replace(at, from.size(), to);
    at += begins && ends ? to.size() : 1;
  }
}

void move_paths(Json& json, const VmPaths& from, const VmPaths& to) {
  if (json.is_string()) json = moved_text(json.get<std::string>(), from, to);
  if (!json.is_structured()) return;
  for (auto& each : json) move_paths(each, from, to);
}

}  // namespace

std::string moved_text(std::string text, const VmPaths& from, const VmPaths& to) {
  for (const auto& [old, fresh] :
       {std::pair(&from.data, &to.data), std::pair(&from.state, &to.state),
        std::pair(&from.runtime, &to.runtime)}) {
    if (*old == *fresh) continue;
    // One way to write it may be like another: each once.
    const std::set<std::pair<std::string, std::string>> ways{
        {*old, *fresh},
        {in_json(*old), in_json(*fresh)},
        {escape_commas(*old), escape_commas(*fresh)}};
    for (const auto& [there, here] : ways) replace_folder(text, there, here);
  }
  return text;
}

std::string moved_plan(const std::string& plan, const std::string& name, const VmPaths& from,
                       const VmPaths& to) {
  auto json = Json::parse(plan, nullptr, false);
  if (!json.is_object()) return plan;
  move_paths(json, from, to);
  json["name"] = name;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace qlaunch
