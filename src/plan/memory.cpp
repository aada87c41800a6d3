// SPDX-License-Identifier: MIT
#include "plan/memory.hpp"

#include "core/units.hpp"

#include <algorithm>

namespace qlaunch::planner {

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
