// SPDX-License-Identifier: MIT
#include "host/own_programs.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/paths.hpp"
#include "host/programs.hpp"

#include <filesystem>

namespace qlaunch {

std::vector<std::string> own_program_places(const std::string& part, const std::string& folder) {
  const std::filesystem::path here(folder);
  const std::filesystem::path configured(QLAUNCH_LIBEXECDIR);
  const auto name = "qlaunch-" + part;
  std::vector<std::filesystem::path> places{here / part / name, here / name};
  if (configured.is_relative()) places.push_back(here.parent_path() / configured / name);
  places.push_back(here.parent_path() / "libexec" / name);
  places.push_back(std::filesystem::path(QLAUNCH_PREFIX) / configured / name);
  std::vector<std::string> out;
  out.reserve(places.size());
  for (const auto& place : places) out.push_back(place.lexically_normal().string());
  return out;
}

std::string own_program(const std::string& part, const std::string& does) {
  const auto places =
      own_program_places(part, std::filesystem::path(own_executable()).parent_path().string());
  for (const auto& place : places) {
    if (is_executable(place)) return place;
  }
  throw Error(in_backticks("qlaunch-" + part) + ", the part of qlaunch " + does + ", is not found")
      .help("`meson install` puts it to " + in_backticks(places.back()) +
            "; a `qlaunch` that was copied alone finds it beside itself");
}

}  // namespace qlaunch
