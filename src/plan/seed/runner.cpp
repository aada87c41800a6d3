// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "plan/seed/marks.hpp"
#include "plan/seed/texts.hpp"

namespace qlaunch::seed {
namespace {

/// A call of one of the functions in provision.sh. Always in quotes: what takes the place of a mark
/// may need them.
std::string call(const char* function, const std::vector<std::string>& words) {
  std::string out = function;
  for (const auto& word : words) {
    out += " '";
    for (const char character : word) {
      if (character == '\'') {
        out += "'\\''";
      } else {
        out += character;
      }
    }
    out += '\'';
  }
  return out + '\n';
}

std::string who(const Told& told) {
  const auto set = [](const char* name, const std::string& value) {
    return std::string(name) + '=' + shell_quote(value) + '\n';
  };
  return set("instance", instance_id(told)) + set("user", told.login()) + set("home", told.home()) +
         set("chosen", told.user.empty() ? "no" : "yes");
}

}  // namespace

std::vector<SeedFile> runner_files(const Told& told) {
  std::vector<SeedFile> out;
  std::string settings;
  if (told.own_keys) settings += call("key", {own_key_mark});
  for (const auto* keys : {&told.keys, &told.found_keys}) {
    for (const auto& key : *keys) settings += call("key", {key});
  }
  for (const auto* variables : {&told.proxies, &told.environment}) {
    for (const auto& [name, value] : *variables) settings += call("variable", {name, value});
  }
  settings += "variables_told\n";
  if (told.own_keys) settings += call("host_key", {host_key_mark, host_public_key_mark});
  for (const auto& mount : told.mounts)
    settings += call("share", {mount.tag, mount.path, mount.type, mount.options});
  std::size_t number = 0;
  for (const auto& file : told.files) {
    const auto name = "file-" + std::to_string(++number);
    settings += call("file", {name, file.path, file.mode, file.owner});
    out.push_back({"qlaunch/" + name, file.content});
  }
  number = 0;
  for (const auto& script : told.scripts) {
    const auto name = "script-" + std::to_string(++number);
    settings += call("script", {name, script.every_boot ? "boot" : "once",
                                script.as_user ? "user" : "root", script.mark, script.label});
    out.push_back({"qlaunch/" + name, script.text, true});
  }
  out.push_back({"qlaunch/who", who(told)});
  out.push_back({"qlaunch/settings", settings});
  return out;
}

}  // namespace qlaunch::seed
