// SPDX-License-Identifier: MIT
// How the records of VMs and runs lie on the disk: a line of JSON with the facts, and a line with
// the plan, which most readers of the facts do not want. Opens no file.
#pragma once

#include <string>
#include <string_view>

namespace qlaunch {

struct RecordText {
  std::string_view facts, plan;
};

inline RecordText split_record(std::string_view text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return {text, {}};
  auto plan = text.substr(end + 1);
  if (plan.ends_with('\n')) plan.remove_suffix(1);
  return {text.substr(0, end), plan};
}

/// Neither of them has a line break in it: JSON writes it as an escape.
inline std::string join_record(const std::string& facts, const std::string& plan) {
  return facts + '\n' + plan + '\n';
}

}  // namespace qlaunch
