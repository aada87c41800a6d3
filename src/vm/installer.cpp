// SPDX-License-Identifier: MIT
#include "vm/installer.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "profile/profile.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

constexpr const char* drive_once = "/machine/peripheral/drive-cdrom-once";
// Behind everything that a profile numbers.
constexpr int last = 1000;

}  // namespace

void add_installer(Profile& profile, const std::string& path) {
  for (std::size_t index = 0; index < profile.disks.size(); ++index) {
    if (profile.disks[index].name != installer_disk) continue;
    throw UsageError("`--cdrom` makes a drive of this name itself")
        .help("give the profile's drive another name")
        .at(profile.where("disk[" + std::to_string(index) + "].name"));
  }
  if (!profile.kernel.image.empty() || !profile.kernel.bootspec.empty())
    throw UsageError("`--cdrom` would boot nothing: this profile starts a kernel directly")
        .at(profile.where(profile.kernel.image.empty() ? "kernel.bootspec" : "kernel.image"));
  Disk disk;
  disk.name = std::string(installer_disk);
  disk.file = path;
  disk.media = DiskMedia::cdrom;
  disk.format = DiskFormat::raw;
  disk.readonly = true;
  // The microvm board has no SATA.
  const bool small = profile.machine.type.starts_with("microvm");
  disk.bus = small ? DiskBus::scsi : DiskBus::sata;
  profile.disks.push_back(std::move(disk));
}

void boot_installer_once(const LiveRecord& live) {
  CommandSocket socket(live);
  // The list for the firmware is made anew at each reset.
  socket.client().execute("qom-set",
                          {{"path", drive_once}, {"property", "bootindex"}, {"value", last}});
}

}  // namespace qlaunch
