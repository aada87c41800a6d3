// SPDX-License-Identifier: MIT
// Removes a stopped VM: its record, the disks that qlaunch made for it, its logs. Never touches a
// file of the user's, nor what another VM needs. Asks nobody.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qlaunch {

/// What removing a VM does, found out before anything is done.
struct Removal {
  struct Part {
    std::string what;  // "disk `root`", "UEFI variables"
    std::string path;  // empty where it is several small files
    std::uint64_t size = 0;
  };
  std::string vm;
  std::vector<Part> goes;
  std::vector<Part> stays;  // `what` with the reason

  std::uint64_t size() const;
};

/// Throws StateError where it runs, where a process holds one of its disks, or where other VMs'
/// disks lie on them (with their names).
Removal plan_removal(const std::string& name);

/// Returns how many bytes it freed. The VM is known until nothing but its folder under another name
/// is left, which the next command removes where this one is killed.
std::uint64_t remove_vm(const std::string& name);

}  // namespace qlaunch
