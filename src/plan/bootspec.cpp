// SPDX-License-Identifier: MIT
#include "plan/bootspec.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch::planner {

std::optional<Bootspec> parse_bootspec(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("org.nixos.bootspec.v1")) return std::nullopt;
  const auto& spec = json["org.nixos.bootspec.v1"];
  try {
    Bootspec out{spec.at("kernel"), spec.value("initrd", ""),
                 "init=" + std::string(spec.at("init"))};
    for (const auto& parameter : spec.at("kernelParams"))
      out.cmdline += ' ' + parameter.get<std::string>();
    if (const auto secrets = spec.find("initrdSecrets");
        secrets != spec.end() && !secrets->is_null())
      out.secrets = *secrets;
    return out;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace qlaunch::planner
