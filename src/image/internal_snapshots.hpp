// SPDX-License-Identifier: MIT
// The snapshots inside a qcow2 file: read from the file itself, so that it costs no process and
// works beside a QEMU that writes; made, taken up and deleted by qemu-img.
// Knows nothing of VMs, nor of what belongs together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct InternalSnapshot {
  std::string id;   // qemu-img's own number, "1"
  std::string tag;  // its name
  std::uint64_t vm_state_size = 0;
  std::int64_t date = 0;  // seconds since 1970
  std::uint32_t date_nanoseconds = 0;

  bool operator==(const InternalSnapshot&) const = default;
};

/// Oldest first. None for a file that is missing or not qcow2; an Error where its table cannot be
/// read. QEMU writes a new table before it says in the header where that is: what is read between
/// two equal looks at the header is whole.
std::vector<InternalSnapshot> read_internal_snapshots(const std::string& path);

/// Null where there is none of this tag.
const InternalSnapshot* find_snapshot(const std::vector<InternalSnapshot>& snapshots,
                                      const std::string& tag);

/// Whether the disk is what it was when this snapshot was made or taken up: the tables of both
/// point at the same places, and whatever is written goes to new ones. False where in doubt.
bool unchanged_since(const std::string& path, const std::string& tag);

/// Each throws where qemu-img refuses, as it does while another process has the disk.
void make_internal_snapshot(const std::string& path, const std::string& tag);
void take_up_internal_snapshot(const std::string& path, const std::string& tag);
void delete_internal_snapshot(const std::string& path, const std::string& tag);

/// Frees the space that a command which was cut off has taken and that nothing refers to.
void free_leaks(const std::string& path);

}  // namespace qlaunch
