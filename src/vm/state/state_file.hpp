// SPDX-License-Identifier: MIT
// A running VM's whole state (memory, devices, TPM) to a file and back, by migration.
// Does not decide what becomes of the VM, and knows nothing of disks.
#pragma once

#include "vm/live.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace qmp {
class SyncClient;
}

namespace qlaunch {

/// Why QEMU cannot save the VM as it is now, in its own words; empty where it can.
std::vector<std::string> what_blocks_saving(qmp::SyncClient& client);
/// The same as an error, each reason with its way out. StateError.
Error blocked_error(const std::string& what, const std::vector<std::string>& reasons);

struct StateFile {
  std::string path;
  /// The guest's memory is a file of its own (see plan/warm.hpp) and is left out.
  bool without_memory = false;
};

struct SaveProgress {
  /// Bytes of memory; told again and again.
  std::function<void(std::uint64_t done, std::uint64_t total)> bytes = [](auto, auto) {};
  std::function<bool()> interrupted = [] { return false; };
};

/// Written anew (0600), and on the disk when this returns. The guest must stand still; it does so
/// after a failure, too, which leaves no file. Returns the file's size.
std::uint64_t save_state(const LiveRecord& live, const StateFile& file,
                         const SaveProgress& progress);

/// Into a QEMU that was started with `-incoming defer`; the guest stands still afterwards. Where
/// this throws QEMU is of no use any more, and may have ended.
void load_state(
    const LiveRecord& live, const StateFile& file,
    const std::function<bool()>& interrupted = [] { return false; });

}  // namespace qlaunch
