// SPDX-License-Identifier: MIT
// Which package brings a thing on the common distributions. Does not ask which distribution this
// is.
#pragma once

#include <string>
#include <string_view>

namespace qlaunch {

/// What brings one thing: a program, a firmware, a display, an audio driver or a device of QEMU's.
struct Package {
  std::string_view thing, debian, fedora, arch, nixos;
};

/// Null where nothing is known.
const Package* find_package(std::string_view thing);

/// "install `ovmf` (Debian, Ubuntu), …"; empty where nothing is known.
std::string install_help(std::string_view thing);

enum class PackageManager { apt, dnf, pacman, nix, unknown };

/// From the text of an os-release file: ID, then ID_LIKE.
PackageManager package_manager(std::string_view os_release);

/// The command that installs it; for an unknown manager the package's name on each distribution.
std::string install_command(std::string_view thing, PackageManager manager);

}  // namespace qlaunch
