// SPDX-License-Identifier: MIT
#include "guest/provision.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

constexpr std::size_t most_output = 20;
/// A guest may write without ever ending a line.
constexpr std::size_t longest_provision_line = std::size_t{64} << 10;

/// What stands behind `word`, where the line begins so.
bool marks(std::string_view line, std::string_view word, std::string* rest = nullptr) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  if (!line.empty() && line.front() != ' ') return false;
  if (rest != nullptr) *rest = trim(line);
  return true;
}

}  // namespace

void ProvisionReader::take(std::string_view line) {
  constexpr std::string_view prefix = "qlaunch: ";
  while (line.ends_with('\r')) line.remove_suffix(1);
  const bool under_way = found_.state == Provision::State::under_way;
  if (line.starts_with("| ") || line == "|") {
    if (!under_way) return;
    found_.output.emplace_back(line.substr(std::min<std::size_t>(2, line.size())));
    if (found_.output.size() > most_output) found_.output.erase(found_.output.begin());
    return;
  }
  if (!line.starts_with(prefix)) return;
  line.remove_prefix(prefix.size());
  if (marks(line, "begin")) {
    // cloud-init has two stages of one boot: what is done or failed came before a new one.
    found_ = {};
    found_.state = Provision::State::under_way;
  } else if (!under_way) {
    return;
  } else if (marks(line, "running", &found_.running)) {
    found_.output.clear();
  } else if (marks(line, "failed", &found_.failure)) {
    found_.state = Provision::State::failed;
  } else if (marks(line, "done")) {
    found_.state = Provision::State::done;
    found_.running.clear();
    found_.output.clear();
  }
}

void ProvisionReader::feed(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    unended_ += text.substr(0, end).substr(0, longest_provision_line - unended_.size());
    if (end == std::string_view::npos) return;
    take(unended_);
    unended_.clear();
    text.remove_prefix(end + 1);
  }
}

Provision parse_provision(std::string_view log) {
  ProvisionReader reader;
  reader.feed(log);
  reader.feed("\n");
  return reader.seen();
}

}  // namespace qlaunch
