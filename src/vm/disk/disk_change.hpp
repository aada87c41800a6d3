// SPDX-License-Identifier: MIT
// Makes, grows, checks and repairs disk files. Never writes over one, never shrinks one, and leaves
// those alone that another process has.
#pragma once

#include "image/qemu_img.hpp"
#include "vm/disk/disk_target.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace qlaunch {

struct NewDisk {
  std::string path;
  std::optional<std::uint64_t> size;  // needed without a base
  std::string base;                   // absolute; empty: none
  std::string format = "qcow2";       // or "raw", which cannot have a base
};

/// Returns what was made.
ImageInfo create_disk(const NewDisk& disk);

/// "20 GiB", or "+5 GiB" on top of what there is.
struct NewSize {
  std::uint64_t bytes = 0;
  bool more = false;
};
/// Throws UsageError.
NewSize parse_new_size(const std::string& text);

struct Resized {
  std::uint64_t before = 0, after = 0;
  bool running = false;  // by the VM's QEMU, while its guest runs
};
/// Of a running VM by QMP, else by qemu-img. The same size is no error.
Resized resize_disk(const DiskTarget& target, const NewSize& size);

/// Throws StateError where somebody uses the disk. What a repair returns counts what is left.
ImageCheck check_disk(const DiskTarget& target, bool repair, const ImageWork& work);

}  // namespace qlaunch
