// SPDX-License-Identifier: MIT
#include "guest/provision.hpp"

#include "core/text.hpp"

namespace qlaunch {
namespace {

constexpr std::size_t most_output = 20;

/// What stands behind `word`, where the line begins so.
bool marks(std::string_view line, std::string_view word, std::string* rest = nullptr) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  if (!line.empty() && line.front() != ' ') return false;
  if (rest != nullptr) *rest = trim(line);
  return true;
}

}  // namespace

Provision parse_provision(std::string_view log) {
  constexpr std::string_view prefix = "qlaunch: ";
  Provision found;
  for (const auto& each : split(log, '\n')) {
    std::string_view line = each;
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("| ") || line == "|") {
      if (found.state != Provision::State::under_way) continue;
      found.output.emplace_back(line.substr(std::min<std::size_t>(2, line.size())));
      if (found.output.size() > most_output) found.output.erase(found.output.begin());
      continue;
    }
    if (!line.starts_with(prefix)) continue;
    line.remove_prefix(prefix.size());
    if (marks(line, "begin")) {
      // cloud-init has two stages of one boot: what is done or failed came before a new one.
      found = {};
      found.state = Provision::State::under_way;
    } else if (found.state != Provision::State::under_way) {
      continue;
    } else if (marks(line, "running", &found.running)) {
      found.output.clear();
    } else if (marks(line, "failed", &found.failure)) {
      found.state = Provision::State::failed;
    } else if (marks(line, "done")) {
      found.state = Provision::State::done;
      found.running.clear();
      found.output.clear();
    }
  }
  return found;
}

}  // namespace qlaunch
