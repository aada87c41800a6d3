// SPDX-License-Identifier: MIT
// A process as JSON, for the records of a run. Looks at no process.
#pragma once

#include "host/process.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {

inline nlohmann::json process_to_json(const ProcessId& process) {
  return {{"pid", process.pid}, {"start_time", process.start_time}, {"boot_id", process.boot_id}};
}

inline ProcessId process_from_json(const nlohmann::json& json) {
  return {json.at("pid"), json.at("start_time"), json.at("boot_id")};
}

}  // namespace qlaunch
