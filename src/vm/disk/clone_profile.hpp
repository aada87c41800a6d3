// SPDX-License-Identifier: MIT
// The profile of a clone: it extends its parent's and says what has to be different. Pure.
#pragma once

#include "profile/profile.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct CloneProfile {
  std::string text;
  std::vector<std::string> notes;  // what two VMs cannot both have, in words
};

struct CloneNames {
  std::string parent, clone;
  std::string extends;  // as it is to stand in the text
  std::string machine_id;
  std::string identity;  // of the clone
  std::string folder;    // of the parent
};

/// `profile` is the parent's. A disk that has a `file` in it gets one in the clone's own folder,
/// named by clone_disk_file().
CloneProfile clone_profile(const Profile& profile, const CloneNames& names);

/// Whether a clone has its own copy of a disk's content.
bool is_cloned(const Disk& disk);

/// What a disk is called in its VM's folder: "root.qcow2".
std::string clone_disk_file(const Disk& disk);

}  // namespace qlaunch
