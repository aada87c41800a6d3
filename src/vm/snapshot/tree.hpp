// SPDX-License-Identifier: MIT
// The notes about a VM's snapshots against what its disks really hold, as a tree.
// Pure: reads no file and changes nothing.
#pragma once

#include "image/internal_snapshots.hpp"
#include "vm/snapshot/note.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// A file that may hold snapshots, and those that it holds.
struct SnapshotFile {
  std::string name, node, path;
  bool in_plan = true;  // a snapshot that is made now has it
  bool state = false;   // it holds the memory of live snapshots, and nothing of the guest's
  std::vector<InternalSnapshot> snapshots = {};
};

enum class SnapshotHealth {
  whole,    // every file that is to have it does
  foreign,  // another program made it, on all disks
  broken,   // some have it, others do not
  lost,     // there is a note, and no file has it
};

struct SnapshotEntry {
  SnapshotNote note;  // of one that another program made: what can be told from the disks
  SnapshotHealth health = SnapshotHealth::whole;
  bool noted = true;
  std::string problem = {};  // in words, for all but whole ones
  bool current = false;
  int depth = 0;      // in the tree
  bool last = false;  // of its parent's children
};

/// Parents before their children, the older before the younger.
std::vector<SnapshotEntry> reconcile(std::vector<SnapshotNote> notes,
                                     const std::vector<SnapshotFile>& files,
                                     const std::string& current);

/// Null where there is none of this tag.
const SnapshotEntry* find_entry(const std::vector<SnapshotEntry>& entries, const std::string& tag);

}  // namespace qlaunch
