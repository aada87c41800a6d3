// SPDX-License-Identifier: MIT
#include "plan/seed/volume_json.hpp"

#include "core/text.hpp"
#include "plan/base64.hpp"
#include "plan_seed_embedded.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {

std::string seed_volume_json(const std::vector<MakeSeed::File>& files, const std::string& note) {
  using VolumeJson = nlohmann::ordered_json;
  std::string out =
      "{\"label\": \"cidata\", \"note\": " + VolumeJson(note).dump() + ", \"files\": [";
  bool first = true;
  // The same in every volume, and so no plan has to hold it.
  auto all = files;
  all.push_back({"qlaunch/provision", seed::provision_script, true});
  for (const auto& file : all) {
    VolumeJson json{{"name", file.name}};
    if (file.executable) json["executable"] = true;
    if (first_invalid_utf8(file.content)) {
      json["base64"] = planner::base64(file.content);
    } else {
      json["text"] = file.content;
    }
    out += (first ? "\n" : ",\n") + json.dump();
    first = false;
  }
  return out + "\n]}\n";
}

}  // namespace qlaunch
