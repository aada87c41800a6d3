// SPDX-License-Identifier: MIT
#include "plan/boot_order.hpp"

#include <cstddef>

namespace qlaunch::planner {

BootOrder boot_order(const Profile& profile) {
  BootOrder order{std::vector<int>(profile.disks.size(), 0),
                  std::vector<int>(profile.networks.size(), 0)};
  const bool has_kernel = !profile.kernel.image.empty() || !profile.kernel.bootspec.empty();
  const bool network_wanted =
      profile.is_set("machine.boot") || (profile.disks.empty() && !has_kernel);
  int next = 1;
  const auto once = [&](std::size_t index) { return profile.disks[index].name == installer_disk; };
  for (std::size_t index = 0; index < profile.disks.size(); ++index)
    if (once(index)) order.disks[index] = next++;
  for (const auto kind : profile.machine.boot) {
    if (kind == BootDevice::network) {
      if (!network_wanted) continue;
      for (std::size_t index = 0; index < profile.networks.size(); ++index)
        if (profile.networks[index].mode != NetworkMode::none) order.networks[index] = next++;
      continue;
    }
    const auto media = kind == BootDevice::disk ? DiskMedia::disk : DiskMedia::cdrom;
    for (std::size_t index = 0; index < profile.disks.size(); ++index)
      if (profile.disks[index].media == media && !once(index)) order.disks[index] = next++;
  }
  return order;
}

}  // namespace qlaunch::planner
