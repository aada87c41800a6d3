// SPDX-License-Identifier: MIT
// Pieces of a plan as JSON, shared by the record and by `args --json`. For .cpp files only.
#pragma once

#include "plan/plan.hpp"

#include <nlohmann/json_fwd.hpp>

namespace qlaunch::planner {

nlohmann::ordered_json preparation_json(const Preparation& preparation);
Preparation preparation_from(const nlohmann::ordered_json& json);
nlohmann::ordered_json descriptors_json(const std::vector<Descriptor>& descriptors);
nlohmann::ordered_json variables_json(const std::vector<DefaultVariable>& variables);
nlohmann::ordered_json forward_json(const PlannedForward& forward);
const char* format_word(DiskFormat format);
DiskFormat format_from(const std::string& word);

}  // namespace qlaunch::planner
