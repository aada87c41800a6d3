// SPDX-License-Identifier: MIT
// All that a guest is told, as values: the profile's [guest] and the mounts of its shares, with the
// files of the host that they name read. Writes no text.
#pragma once

#include "plan/draft.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qlaunch::seed {

struct ToldMount {
  std::string tag, path, type, options;
  /// Whether fstab and every reader of `mounts:` takes it as it is.
  bool plain = true;
};

struct ToldFile {
  std::string path, content, mode, owner;
};

struct ToldScript {
  std::string text, label;
  std::string mark;  // the same for the same script
  bool as_user = false, every_boot = false;
};

struct ToldNetwork {
  std::string name, mac;
  bool dhcp = true;
};

struct Told {
  std::string identity;  // what its instance id follows from
  std::string hostname;
  std::string user;  // empty: none was chosen
  std::string shell;
  std::optional<std::int64_t> uid;
  std::vector<std::string> groups;
  bool sudo = true;
  std::vector<std::string> keys;        // that the profile names
  std::vector<std::string> found_keys;  // of the host: they come and go
  bool own_keys = true;                 // marks stand for those of the VM
  std::string timezone, locale;
  std::vector<std::string> packages;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> proxies;  // variables, which come and go as well
  std::vector<std::string> ca_certs;           // PEM
  std::vector<ToldFile> files;
  std::vector<ToldScript> scripts;
  std::vector<ToldMount> mounts;
  std::vector<ToldNetwork> networks;
  std::optional<std::string> user_data;  // the user's own file
  bool user_data_merged = true;

  std::string login() const { return user.empty() ? "root" : user; }
  std::string home() const { return login() == "root" ? "/root" : "/home/" + user; }
};

/// Findings go to the draft.
Told gather(planner::Draft& draft);

/// How the guest mounts this share: fstab's third and fourth field.
std::pair<std::string, std::string> mount_words(const Share& share);

}  // namespace qlaunch::seed
