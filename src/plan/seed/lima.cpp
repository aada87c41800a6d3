// SPDX-License-Identifier: MIT
#include "core/text.hpp"
#include "plan/seed/texts.hpp"

#include <string_view>

namespace qlaunch::seed {
namespace {

/// Values are unquoted, up to the end of the line.
std::string line(const std::string& name, const std::string& value) {
  return "LIMA_CIDATA_" + name + '=' + value + '\n';
}

/// Whether PAM takes it as it is: see `variable` in provision.sh.
bool plain_for_pam(const std::string& value) {
  if (value.empty()) return true;
  const bool quoted = std::string_view("\"' ").find(value.front()) != std::string_view::npos;
  return !quoted && value.find('#') == std::string::npos && !value.ends_with('\\') &&
         !value.ends_with(' ');
}

/// NixOS has a link to it for /etc/environment.
std::string etc_environment(const Told& told) {
  std::string out = "#LIMA-START\n";
  for (const auto* variables : {&told.proxies, &told.environment}) {
    for (const auto& [name, value] : *variables) {
      if (plain_for_pam(value)) out += name + '=' + value + '\n';
    }
  }
  return out + "#LIMA-END\n";
}

}  // namespace

std::vector<SeedFile> lima_files(const Told& told) {
  constexpr int first_uid = 1000;
  std::string env =
      line("IID", instance_id(told)) + line("NAME", told.hostname) + line("USER", told.login()) +
      line("UID", told.login() == "root" ? "0" : std::to_string(told.uid.value_or(first_uid))) +
      line("HOME", told.home()) + line("SHELL", told.shell) + line("COMMENT", told.login());
  env += line("MOUNTS", std::to_string(told.mounts.size()));
  std::size_t number = 0;
  for (const auto& mount : told.mounts)
    env += line("MOUNTS_" + std::to_string(number++) + "_MOUNTPOINT", mount.path);
  if (!told.mounts.empty()) env += line("MOUNTTYPE", told.mounts.front().type);
  env += line("SLIRP_GATEWAY", "10.0.2.2") + line("SLIRP_DNS", "10.0.2.3") +
         line("VMTYPE", "qemu") + line("VSOCK_PORT", "0") + line("VIRTIO_PORT", "") +
         line("PLAIN", "1") + line("NO_CLOUD_INIT", "") +
         line("PASSWORDLESS_SUDO", told.sudo ? "1" : "");
  return {{"lima.env", env},
          {"param.env", ""},
          {"etc_environment", etc_environment(told)},
          {"provision.system/00-qlaunch",
           "#!/bin/sh\nexec sh \"$(dirname \"$0\")/../qlaunch/provision\" lima\n", true}};
}

}  // namespace qlaunch::seed
