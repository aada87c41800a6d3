// SPDX-License-Identifier: MIT
// What the values of a profile say together: duplicates, contradictions, keys without effect.
// Asks nothing of the host; what only the host can answer is found out by the plan.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/profile.hpp"

#include <string>
#include <vector>

namespace qlaunch {

void check_profile(const Profile& profile, std::vector<Diagnostic>& findings);

/// One rule's way to say something about a key.
class Checker {
 public:
  Checker(const Profile& profile, std::vector<Diagnostic>& findings)
      : profile_(profile), findings_(findings) {}

  const Profile& profile() const { return profile_; }
  bool is_set(const std::string& path) const { return profile_.is_set(path); }
  Location where(const std::string& path) const { return profile_.where(path); }

  /// At the place of a key; the help says what to do.
  void error(const std::string& path, std::string message, std::string help);
  void warning(const std::string& path, std::string message, std::string help);
  /// Two places that cannot both be: the later one is at fault.
  void clash(const std::string& path, std::string message, const std::string& first,
             std::string first_words, std::string help);
  /// `keys` under `prefix` that were given and mean nothing, because of `reason`.
  void useless(const std::string& prefix, const std::vector<std::string>& keys,
               const std::string& reason, const std::string& help);

 private:
  const Profile& profile_;
  std::vector<Diagnostic>& findings_;
};

void check_machine(Checker& checker);
void check_bootable(Checker& checker);
void check_disks(Checker& checker);
void check_images(Checker& checker);
void check_networks(Checker& checker);
void check_shares(Checker& checker);
void check_devices(Checker& checker);
void check_guest(Checker& checker);

/// "disk[2]".
std::string indexed(const std::string& list, std::size_t index);

}  // namespace qlaunch
