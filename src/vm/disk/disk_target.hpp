// SPDX-License-Identifier: MIT
// What a word such as `web:root` means: the disks of a VM, or a file. Opens nothing.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

struct DiskTarget {
  std::string path;
  std::string format;  // as the VM's plan says; empty: as the file says itself
  std::string vm;      // empty: a file that was named as such
  std::string disk;    // its name in the VM's profile; of UEFI variables "nvram"
  std::string node;    // in the VM's QEMU
  bool readonly = false;
  bool nvram = false;

  /// "web:root", or the path.
  std::string name() const { return vm.empty() ? path : vm + ':' + disk; }
};

/// VM:DISK, VM (all its disks, then its UEFI variables), a profile (its VM), or FILE. A word with a
/// slash or without such a VM is a file. StateError where the VM has no such disk.
std::vector<DiskTarget> find_disks(const std::string& word);

/// Exactly one that holds data: of a VM with several, DISK has to be named.
DiskTarget find_disk(const std::string& word);

}  // namespace qlaunch
