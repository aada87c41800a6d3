// SPDX-License-Identifier: MIT
#include "guest/ssh_answers.hpp"

#include "core/text.hpp"
#include "guest/ssh_link.hpp"

#include <vector>

namespace qlaunch {
namespace {

/// Stands behind the key, where known_hosts has a comment.
constexpr std::string_view given_mark = " given-not-shown";

bool says(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Type and key, without the comment.
std::string_view bare_key(std::string_view line) {
  return line.substr(0, line.find(' ', line.find(' ') + 1));
}

}  // namespace

SshFailure read_ssh_failure(std::string_view text) {
  SshFailure failure;
  for (const auto& line : split(text, '\n')) {
    const auto words = trim(line);
    if (words.empty() || words.starts_with("Warning: Permanently added") ||
        words.starts_with("debug1: ") || words.starts_with("OpenSSH_"))
      continue;
    failure.said = printable(words);
    if (says(words, "Permission denied (") || says(words, "Too many authentication failures"))
      failure.obstacle = SshObstacle::login;
  }
  if (says(text, "Host key verification failed")) failure.obstacle = SshObstacle::host_key;
  return failure;
}

bool shares_badly(std::string_view text) {
  return says(text, "remote software version dropbear");
}

std::string given_known_hosts(std::string_view host_public_key) {
  return std::string(guest_host_key_alias) + ' ' + std::string(bare_key(host_public_key)) +
         std::string(given_mark) + '\n';
}

bool only_given(std::string_view known_hosts) {
  return trim(known_hosts).ends_with(given_mark);
}

bool knows_key(std::string_view known_hosts, std::string_view public_key) {
  return says(known_hosts, bare_key(public_key));
}

std::string once_shown(std::string_view known_hosts) {
  auto text = std::string(trim(known_hosts));
  if (only_given(text)) text.resize(text.size() - given_mark.size());
  return text + '\n';
}

}  // namespace qlaunch
