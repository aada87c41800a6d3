// SPDX-License-Identifier: MIT
#include "vm/ssh_profile.hpp"

#include "core/error.hpp"
#include "vm/diff.hpp"
#include "vm/record.hpp"

#include <filesystem>
#include <optional>

namespace qlaunch {
namespace {

std::optional<Profile> profile_at_start(const std::string& vm) {
  try {
    const auto record = read_record(vm);
    if (record) return load_recorded(*record).profile;
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // Of another version: what is asked for here only makes things more comfortable.
  }
  return std::nullopt;
}

}  // namespace

bool root_has_key(const std::string& vm) {
  const auto profile = profile_at_start(vm);
  return profile && profile->guest.credentials.contains("ssh.authorized_keys.root");
}

std::vector<SharedFolder> mounted_shares(const std::string& vm) {
  std::vector<SharedFolder> shares;
  const auto profile = profile_at_start(vm);
  if (!profile) return shares;
  for (const auto& share : profile->shares) {
    if (share.mount.empty()) continue;
    const auto mount = share.mount == "same" ? share.path : share.mount;
    shares.push_back({share.path, mount});
    std::error_code ignored;
    const auto real = std::filesystem::canonical(share.path, ignored).string();
    if (!ignored && real != share.path) shares.push_back({real, mount});
  }
  return shares;
}

std::vector<std::string> reachable_cards(const std::string& vm,
                                         const std::vector<std::string>& macs) {
  std::vector<std::string> cards;
  const auto profile = profile_at_start(vm);
  if (!profile) return cards;
  std::size_t next = 0;
  for (const auto& network : profile->networks) {
    if (network.mode == NetworkMode::none || next >= macs.size()) continue;
    const auto& mac = macs[next++];
    if (network.mode == NetworkMode::bridge || network.mode == NetworkMode::tap)
      cards.push_back(mac);
  }
  return cards;
}

}  // namespace qlaunch
