// SPDX-License-Identifier: MIT
// The disks of a clone from a VM that runs: all as they are at one moment, while its guest goes on.
// Decides nothing about which way they go.
#pragma once

#include "vm/disk/clone_disks.hpp"
#include "vm/live.hpp"

#include <map>
#include <string>
#include <vector>

namespace qlaunch {

/// By the disks' names: the frozen bases that the linked ones are to become.
using FrozenPaths = std::map<std::string, std::string>;

/// The node through which a drive of the VM is written now: the plan's, or since a clone the
/// overlay's.
std::string current_node(qmp::SyncClient& client, const PlannedDisk& disk);

/// In one transaction: each linked disk goes on under an overlay, its file being the frozen base
/// from then on, and each other one begins to be copied into `folder`. Returns when the copies are
/// whole. Where that fails or is interrupted the linked ones stay as they are: nothing is lost.
/// A disk that has grown since it was looked at gets its size of now.
void take_live(const LiveRecord& live, std::vector<CloneDisk>& disks, const FrozenPaths& bases,
               const std::string& folder, const CloneRequest& request,
               const std::function<void()>& frozen);

}  // namespace qlaunch
