// SPDX-License-Identifier: MIT
#include "vm/disk/clone_profile.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/identity.hpp"
#include "profile/ports.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::string setting(const std::string& key, const std::string& value) {
  return key + " = " + toml_quote(value) + '\n';
}

bool has_fixed_port(const Network& network) {
  return std::any_of(network.forward.begin(), network.forward.end(),
                     [](const Forward& forward) { return forward.host_port != 0; });
}

std::string network_text(const Network& network, const CloneNames& names, CloneProfile& out) {
  std::string text;
  if (!network.mac.empty()) {
    const auto mac = planner::derived_mac(names.identity, network.name, names.machine_id);
    text += setting("mac", mac);
    out.notes.push_back("network " + in_backticks(network.name) + " has the MAC address " + mac);
  }
  if (has_fixed_port(network)) {
    std::vector<std::string> words;
    std::vector<std::string> given;
    for (auto forward : network.forward) {
      if (forward.host_port != 0) given.push_back(forward_text(forward));
      forward.host_port = 0;
      words.push_back(toml_quote(forward_text(forward)));
    }
    text += "forward = [" + join(words, ", ") + "]\n";
    out.notes.push_back("forwards get free ports instead of " + enumerate(given));
  }
  return text.empty() ? text : "\n[[network]]\n" + setting("name", network.name) + text;
}

}  // namespace

bool is_cloned(const Disk& disk) {
  return disk.media == DiskMedia::disk && !disk.readonly;
}

std::string clone_disk_file(const Disk& disk) {
  return planner::qemu_id("", disk.name) + (disk.format == DiskFormat::qcow2 ? ".qcow2" : ".raw");
}

CloneProfile clone_profile(const Profile& profile, const CloneNames& names) {
  CloneProfile out;
  out.text = "# A clone of the VM " + names.parent +
             ". What is not said here is as in the profile that it extends.\n" +
             setting("extends", names.extends) + setting("name", names.clone);
  if (!profile.machine.uuid.empty())
    out.text +=
        "\n[machine]\n" + setting("uuid", planner::derived_uuid(names.identity, names.machine_id));
  for (const auto& disk : profile.disks) {
    if (!is_cloned(disk) || disk.file.empty()) continue;
    // Beside this profile, so that it stays right under another name of the VM.
    out.text +=
        "\n[[disk]]\n" + setting("name", disk.name) + setting("file", clone_disk_file(disk));
    if (!disk.file.starts_with(names.folder + '/'))
      out.notes.push_back("disk " + in_backticks(disk.name) +
                          " is in the clone's own folder, not beside " + disk.file);
  }
  for (const auto& network : profile.networks) out.text += network_text(network, names, out);
  return out;
}

}  // namespace qlaunch
