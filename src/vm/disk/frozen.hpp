// SPDX-License-Identifier: MIT
// Frozen bases: files that a disk and its clones are overlays on. They belong to no VM, are never
// written, and go with the last overlay that needs them. Makes no overlays.
#pragma once

#include "host/lock.hpp"

#include <cstdint>
#include <string>

namespace qlaunch {

/// Where they are. No VM's name begins with a dot.
std::string frozen_folder();

/// Whether this is the path of one.
bool is_frozen(const std::string& path);

/// A path that nobody has: "…/web-root-4f7k2.qcow2".
std::string new_frozen_path(const std::string& vm, const std::string& disk);

/// Held by whoever makes one until the overlays on it are in their places, and by whoever removes
/// those that nobody needs. Throws TimeoutError naming the holder.
class FrozenLock {
 public:
  FrozenLock();

 private:
  FileLock lock_;
};

/// Removes those that no VM needs; returns how many bytes that freed. The lock is the proof that
/// none is in the making.
std::uint64_t remove_unneeded_bases(const FrozenLock& held);

}  // namespace qlaunch
