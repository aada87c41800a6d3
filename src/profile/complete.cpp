// SPDX-License-Identifier: MIT
#include "profile/complete.hpp"

#include "core/quote.hpp"
#include "profile/syntax.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::string stem_of(const std::string& path) {
  auto name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".toml")) name.resize(name.size() - 5);
  return name;
}

void complete_disks(Profile& profile) {
  for (std::size_t index = 0; index < profile.disks.size(); ++index) {
    auto& disk = profile.disks[index];
    if (disk.media != DiskMedia::cdrom) continue;
    const auto at = "disk[" + std::to_string(index) + "].";
    if (!profile.is_set(at + "format")) disk.format = DiskFormat::raw;
    if (!profile.is_set(at + "bus")) disk.bus = DiskBus::sata;
    if (!profile.is_set(at + "readonly")) disk.readonly = true;
  }
}

}  // namespace

bool reachable(const Profile& profile, std::uint16_t guest_port) {
  return std::any_of(profile.networks.begin(), profile.networks.end(), [&](const Network& network) {
    if (network.mode == NetworkMode::bridge || network.mode == NetworkMode::tap) return true;
    return network.mode == NetworkMode::user &&
           std::any_of(network.forward.begin(), network.forward.end(), [&](const Forward& forward) {
             return forward.guest_port == guest_port && forward.protocol == Protocol::tcp;
           });
  });
}

void complete_profile(Profile& profile, const std::string& path,
                      std::vector<Diagnostic>& findings) {
  if (!profile.is_set("name")) {
    profile.name = stem_of(path);
    if (check_vm_name(profile.name)) {
      findings.push_back(error_at(profile.file, "the file's name " + in_backticks(profile.name) +
                                                    " cannot be the name of a VM")
                             .with_help("add a line such as: name = \"my-vm\""));
    }
  }
  complete_disks(profile);
  for (auto& image : profile.images) {
    if (image.arch.empty()) image.arch = "x86_64";
  }
  if (profile.networks.empty()) {
    Network network;
    network.name = "net0";
    network.forward.push_back({Protocol::tcp, "127.0.0.1", 0, 22});
    profile.networks.push_back(std::move(network));
  }
  auto& cpu = profile.cpu;
  if (!profile.is_set("cpu.count") && (cpu.sockets || cpu.cores || cpu.threads))
    cpu.count = cpu.sockets.value_or(1) * cpu.cores.value_or(1) * cpu.threads.value_or(1);
  if (!profile.is_set("ready.when"))
    profile.ready.when.kind = profile.guest.present && reachable(profile, 22)
                                  ? ReadyWhen::Kind::ssh
                                  : ReadyWhen::Kind::started;
}

}  // namespace qlaunch
