// SPDX-License-Identifier: MIT
#include "core/packages.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace qlaunch {

namespace {

// Debian 12 has spice and the GL devices in qemu-system-common; later releases split them off.
constexpr std::array packages{
    Package{"qemu", "qemu-system-x86", "qemu-kvm", "qemu-desktop", "qemu"},
    Package{"qemu-img", "qemu-utils", "qemu-img", "qemu-img", "qemu-utils"},
    Package{"openssh", "openssh-client", "openssh-clients", "openssh", "openssh"},
    Package{"ovmf", "ovmf", "edk2-ovmf", "edk2-ovmf", "OVMF"},
    Package{"virtiofsd", "virtiofsd", "virtiofsd", "virtiofsd", "virtiofsd"},
    Package{"swtpm", "swtpm", "swtpm", "swtpm", "swtpm"},
    Package{"qemu-bridge-helper", "qemu-system-common", "qemu-common", "qemu-base", "qemu"},
    Package{"gtk", "qemu-system-gui", "qemu-ui-gtk", "qemu-ui-gtk", "qemu"},
    Package{"sdl", "qemu-system-gui", "qemu-ui-sdl", "qemu-ui-sdl", "qemu"},
    Package{"curses", "qemu-system-common", "qemu-ui-curses", "qemu-ui-curses", "qemu"},
    Package{"egl-headless", "qemu-system-modules-opengl", "qemu-ui-egl-headless",
            "qemu-ui-egl-headless", "qemu"},
    Package{"spice", "qemu-system-modules-spice", "qemu-ui-spice-core", "qemu-ui-spice-core",
            "qemu"},
    Package{"qxl-vga", "qemu-system-modules-spice", "qemu-device-display-qxl",
            "qemu-hw-display-qxl", "qemu"},
    Package{"virtio-vga", "qemu-system-common", "qemu-device-display-virtio-vga",
            "qemu-hw-display-virtio-vga", "qemu"},
    Package{"virtio-vga-gl", "qemu-system-modules-opengl", "qemu-device-display-virtio-vga-gl",
            "qemu-hw-display-virtio-vga-gl", "qemu"},
    Package{"usb-host", "qemu-system-common", "qemu-device-usb-host", "qemu-hw-usb-host", "qemu"},
    Package{"vnc-viewer", "tigervnc-viewer", "tigervnc", "tigervnc", "tigervnc"},
    Package{"alsa", "qemu-system-common", "qemu-audio-alsa", "qemu-audio-alsa", "qemu"},
    Package{"pa", "qemu-system-gui", "qemu-audio-pa", "qemu-audio-pa", "qemu"},
    Package{"pipewire", "qemu-system-gui", "qemu-audio-pipewire", "qemu-audio-pipewire", "qemu"},
    Package{"jack", "qemu-system-gui", "qemu-audio-jack", "qemu-audio-jack", "qemu"},
};

/// The value of NAME=value or NAME="value".
std::string value_of(std::string_view os_release, std::string_view name) {
  for (const auto& line : split(os_release, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || trim(std::string_view(line).substr(0, equals)) != name) {
      continue;
    }
    std::string_view value = trim(std::string_view(line).substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
  }
  return {};
}

PackageManager manager_of(std::string_view id) {
  struct Known {
    std::string_view id;
    PackageManager manager;
  };
  constexpr std::array known{
      Known{"debian", PackageManager::apt}, Known{"ubuntu", PackageManager::apt},
      Known{"fedora", PackageManager::dnf}, Known{"rhel", PackageManager::dnf},
      Known{"centos", PackageManager::dnf}, Known{"arch", PackageManager::pacman},
      Known{"nixos", PackageManager::nix}};
  for (const auto& entry : known) {
    if (entry.id == id) return entry.manager;
  }
  return PackageManager::unknown;
}

}  // namespace

const Package* find_package(std::string_view thing) {
  for (const auto& package : packages) {
    if (package.thing == thing) return &package;
  }
  return nullptr;
}

std::string install_help(std::string_view thing) {
  const auto* package = find_package(thing);
  if (package == nullptr) return {};
  // Distributions that share a name share a mention.
  const std::array<std::array<std::string_view, 2>, 4> names{{{package->debian, "Debian, Ubuntu"},
                                                              {package->fedora, "Fedora"},
                                                              {package->arch, "Arch"},
                                                              {package->nixos, "NixOS"}}};
  std::vector<std::string> parts;
  for (std::size_t index = 0; index < names.size();) {
    std::string part = '`' + std::string(names[index][0]) + "` (" + std::string(names[index][1]);
    std::size_t next = index + 1;
    for (; next < names.size() && names[next][0] == names[index][0]; ++next)
      part += ", " + std::string(names[next][1]);
    parts.push_back(part + ')');
    index = next;
  }
  return "install " + enumerate(parts, "or");
}

PackageManager package_manager(std::string_view os_release) {
  std::vector<std::string> ids = {value_of(os_release, "ID")};
  for (auto& id : split(value_of(os_release, "ID_LIKE"), ' ')) ids.push_back(std::move(id));
  for (const auto& id : ids) {
    if (const auto manager = manager_of(id); manager != PackageManager::unknown) return manager;
  }
  return PackageManager::unknown;
}

std::string install_command(std::string_view thing, PackageManager manager) {
  const Package same{thing, thing, thing, thing, thing};
  const auto* found = find_package(thing);
  const auto& package = found == nullptr ? same : *found;
  switch (manager) {
    case PackageManager::apt:
      return "sudo apt install " + std::string(package.debian);
    case PackageManager::dnf:
      return "sudo dnf install " + std::string(package.fedora);
    case PackageManager::pacman:
      return "sudo pacman -S " + std::string(package.arch);
    case PackageManager::nix:
      return "environment.systemPackages = [ pkgs." + std::string(package.nixos) +
             " ]; in configuration.nix, or: nix-shell -p " + std::string(package.nixos);
    case PackageManager::unknown:
      break;
  }
  return "Debian and Ubuntu: " + std::string(package.debian) +
         "; Fedora: " + std::string(package.fedora) + "; Arch: " + std::string(package.arch) +
         "; NixOS: " + std::string(package.nixos);
}

}  // namespace qlaunch
