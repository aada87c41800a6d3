// SPDX-License-Identifier: MIT
#include "profile/check.hpp"

#include "core/quote.hpp"

#include <algorithm>
#include <utility>

namespace qlaunch {

void Checker::error(const std::string& path, std::string message, std::string help) {
  findings_.push_back(error_at(where(path), std::move(message)).with_help(std::move(help)));
}

void Checker::warning(const std::string& path, std::string message, std::string help) {
  findings_.push_back(warning_at(where(path), std::move(message)).with_help(std::move(help)));
}

void Checker::clash(const std::string& path, std::string message, const std::string& first,
                    std::string first_words, std::string help) {
  auto finding =
      error_at(where(path), std::move(message)).with_related(std::move(first_words), where(first));
  if (!help.empty()) finding.help.push_back(std::move(help));
  findings_.push_back(std::move(finding));
}

void Checker::useless(const std::string& prefix, const std::vector<std::string>& keys,
                      const std::string& reason, const std::string& help) {
  for (const auto& key : keys) {
    if (is_set(prefix + '.' + key))
      error(prefix + '.' + key, in_backticks(key) + " means nothing " + reason, help);
  }
}

std::string indexed(const std::string& list, std::size_t index) {
  return list + '[' + std::to_string(index) + ']';
}

void check_profile(const Profile& profile, std::vector<Diagnostic>& findings) {
  Checker checker(profile, findings);
  check_machine(checker);
  check_disks(checker);
  check_images(checker);
  check_networks(checker);
  check_shares(checker);
  check_devices(checker);
  check_guest(checker);
  // What was misspelt may well be the disk.
  if (!has_errors(findings)) check_bootable(checker);
}

}  // namespace qlaunch
