// SPDX-License-Identifier: MIT
// A VM made from another: its disks as they are now, hardware addresses and a profile of its own.
// Starts nothing, and changes nothing that the other VM's guest could notice.
#pragma once

#include "image/qemu_img.hpp"

#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

struct CloneRequest {
  std::string from, to;
  bool copy = false;  // whole copies that share no file with the parent
  std::string tag;    // its disks as they are in this snapshot; empty: as they are now
  std::function<void(const std::string&)> step = [](const auto&) {};
  /// How much of a copy is done, 0 to 100.
  std::function<void(const std::string& disk, double)> progress = [](const auto&, double) {};
  std::function<bool()> interrupted = [] { return false; };
};

enum class CloneWay {
  linked,  // an overlay on a frozen base, as the parent's disk is from now on
  shared,  // an overlay on what the parent's disk lies on, which holds nothing of its own
  copied,  // a file of its own
};

struct ClonedDisk {
  std::string name;
  CloneWay way = CloneWay::linked;
  std::string why;  // it was copied, in words; empty where nothing has to be said
};

struct Cloned {
  std::vector<ClonedDisk> disks;
  std::string profile;             // the clone's own
  std::vector<std::string> notes;  // what is not as in the parent's profile
};

/// All or nothing; where the process is killed in between there is no clone, and the parent has its
/// data and can be started. Throws StateError where there is a VM `to` already, or somebody else
/// uses one of the disks, UsageError where `to` cannot be a name.
Cloned clone_vm(const CloneRequest& request);

}  // namespace qlaunch
