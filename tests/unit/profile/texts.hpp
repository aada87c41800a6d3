// SPDX-License-Identifier: MIT
// Profiles from texts in memory instead of files, for tests. Touches no disk.
#pragma once

#include "core/error.hpp"
#include "profile/load.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace test {

/// Files by absolute path, variables by name.
struct Texts {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> variables{{"HOME", "/home/user"}, {"WORK", "/srv/work"}};
  std::map<std::string, std::string> named;  // what `extends = "NAME"` finds

  qlaunch::ProfileWorld world() const {
    qlaunch::ProfileWorld world;
    world.read = [this](const std::string& path) {
      const auto found = files.find(path);
      if (found == files.end()) throw qlaunch::Error("no such file");
      return found->second;
    };
    world.find = [this](const std::string& name, const std::string&) -> std::optional<std::string> {
      const auto found = named.find(name);
      return found == named.end() ? std::nullopt : std::optional(found->second);
    };
    world.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    world.home = "/home/user";
    world.folder = "/here";
    return world;
  }

  qlaunch::LoadedProfile load(const std::vector<std::string>& settings = {}) const {
    return qlaunch::load_profile("/vms/vm.toml", "vm.toml", settings, world());
  }
};

inline qlaunch::LoadedProfile load(const std::string& text,
                                   const std::vector<std::string>& settings = {}) {
  return Texts{{{"/vms/vm.toml", text}}, {{"HOME", "/home/user"}, {"WORK", "/srv/work"}}, {}}.load(
      settings);
}

/// The profile of a text that has to be without any finding.
inline qlaunch::Profile sound(const std::string& text,
                              const std::vector<std::string>& settings = {}) {
  const auto loaded = load(text, settings);
  CHECK(qlaunch::render(loaded.diagnostics) == "");
  return loaded.profile;
}

inline std::string findings(const std::string& text,
                            const std::vector<std::string>& settings = {}) {
  return qlaunch::render(load(text, settings).diagnostics);
}

}  // namespace test
