// SPDX-License-Identifier: MIT
#include "plan/memory.hpp"

#include "core/units.hpp"
#include "plan/warm.hpp"

#include <algorithm>

namespace qlaunch::planner {

namespace {

/// QEMU saves everything but memory that is a file, and a mapping of one's own of a file is shared
/// with all others until it is written to.
void add_warm_memory(Draft& draft) {
  const auto bytes = draft.profile.machine.memory;
  const auto& folder = draft.input.warm->folder;
  std::string path = frozen_memory(folder);
  std::string rule = "the memory of the saved state: only what this run writes is its own";
  if (folder.empty()) {
    path = "/proc/self/fd/" + std::to_string(draft.memory_file(bytes));
    rule = "a file without a name, so that the memory can be kept without QEMU";
  }
  draft.object({{"qom-type", "memory-backend-file"},
                {"id", "memory"},
                {"size", bytes},
                {"mem-path", path},
                {"share", folder.empty()}},
               draft.because("start.warm", rule));
  draft.machine_property("memory-backend=memory", "memory is a file for the warm start");
}

}  // namespace

void add_memory(Draft& draft) {
  const auto bytes = draft.profile.machine.memory;
  draft.plan.memory = bytes;
  if (bytes == 0 || bytes % mib != 0) {
    draft.error("machine.memory",
                format_size(bytes) + " of memory is not a whole number of MiB, which QEMU wants");
  }
  const auto host = draft.facts.memory;
  if (host != 0 && bytes > host) {
    draft.warning("machine.memory", "the guest gets " + format_size(bytes) +
                                        " of memory and this host has " +
                                        format_size_rounded(host));
  }
  draft.option({"-m", std::to_string(bytes / mib)}, draft.because("machine.memory", "in MiB"));

  if (draft.input.warm) return add_warm_memory(draft);
  const auto& shares = draft.profile.shares;
  const auto virtiofs = std::find_if(shares.begin(), shares.end(), [](const Share& share) {
    return share.driver == ShareDriver::virtiofs;
  });
  if (virtiofs == shares.end()) return;
  const auto index = static_cast<std::size_t>(virtiofs - shares.begin());
  draft.object(
      {{"qom-type", "memory-backend-memfd"}, {"id", "memory"}, {"size", bytes}, {"share", true}},
      draft.because(key_of("share", index),
                    "virtiofsd reads and writes the guest's memory itself, so it has to be "
                    "shared; QEMU takes a backend only of exactly the machine's size"));
  draft.machine_property("memory-backend=memory", "memory is shared for virtiofs");
}

}  // namespace qlaunch::planner
