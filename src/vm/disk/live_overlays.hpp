// SPDX-License-Identifier: MIT
// Overlays that a running VM's disks went on under (see clone_live.hpp), until they take the disks'
// own names. Makes none.
//
// While QEMU runs, every path that it has opened a file by has to lead to that file: where it opens
// one anew it goes by the path. So a disk's own path leads to what is a frozen base by then, until
// QEMU has ended.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

/// What a disk's next file is called behind the disk's name, before the pid of the clone that made
/// it: ".live-123.qcow2".
inline constexpr std::string_view live_overlay_mark = ".live-";

struct LiveOverlay {
  std::string path;              // the disk's own, as its plan has it
  std::string current;           // what is written now
  std::vector<std::string> old;  // names of those that were written before: bases now

  bool operator==(const LiveOverlay&) const = default;
};

/// Of the VM whose data folder this is; none where there was no such clone.
std::vector<LiveOverlay> read_live_overlays(const std::string& folder);
/// Must be there before QEMU writes to the first of them. None: removes the note.
void write_live_overlays(const std::string& folder, const std::vector<LiveOverlay>& overlays);

/// The file that is written now under a disk's own path, as its plan and notes about it have it.
std::string written_now(const std::string& path);

/// The VM does not run: what was written last gets the disk's name. May be cut off at any point,
/// and done twice. Throws where a file cannot be renamed.
void settle_overlays(const std::string& folder);

/// The same for a VM by its name, where it does not run and nobody starts it; else nothing.
void settle_if_stopped(const std::string& name);

}  // namespace qlaunch
