// SPDX-License-Identifier: MIT
// A profile's text, what it extends and what --set says, to a Profile with every finding at once.
// Reads files only through the functions it is given.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/profile.hpp"
#include "profile/tree.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// The world as the loader may see it; tests give it a map of texts.
struct ProfileWorld {
  /// The bytes of a file. Throws Error where it cannot be read, is no file, or is too large.
  std::function<std::string(const std::string& path)> read;
  /// Where the profile named in `extends` is: `from` is the folder of the profile that says so.
  /// Nothing where no such profile exists.
  std::function<std::optional<std::string>(const std::string& name, const std::string& from)> find;
  std::function<std::optional<std::string>(const std::string& variable)> environment;
  std::string home;
  /// What relative paths in `--set` start from; empty: the folder of the profile.
  std::string folder = {};
};

struct LoadedProfile {
  Profile profile;  // whole only where no diagnostic is an error
  std::vector<Diagnostic> diagnostics;
  std::vector<SourcePtr> sources;  // the profile first, then what it extends, in reading order
  Node tree;                       // everything merged, --set included, as it is written
};

/// `path` is absolute, `shown` is what messages call it; `settings` are the "KEY=VALUE" of --set.
LoadedProfile load_profile(const std::string& path, const std::string& shown,
                           const std::vector<std::string>& settings, const ProfileWorld& world);

/// The largest profile that is read, 1 MiB: a larger file is something else by mistake.
constexpr std::size_t largest_profile = 1024 * 1024;

}  // namespace qlaunch
