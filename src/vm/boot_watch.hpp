// SPDX-License-Identifier: MIT
// How far the guest of a VM has come since its start, out of its serial log and its journal.
// Waits for nothing; asks neither QEMU nor the guest.
#pragma once

#include "guest/boot_stage.hpp"
#include "vm/live.hpp"

#include <cstdint>

namespace qlaunch {

class BootWatch {
 public:
  explicit BootWatch(const LiveRecord& live);

  /// What has come since the last look is read; cheap enough for once a second.
  BootSeen look();

 private:
  std::string name_, started_, log_;
  std::uint64_t read_ = 0;
  BootReader reader_;
};

}  // namespace qlaunch
