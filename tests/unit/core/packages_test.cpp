// SPDX-License-Identifier: MIT
#include "core/packages.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("packages are named for each distribution, once where they agree") {
  CHECK(install_help("swtpm") == "install `swtpm` (Debian, Ubuntu, Fedora, Arch, NixOS)");
  CHECK(install_help("ovmf") ==
        "install `ovmf` (Debian, Ubuntu), `edk2-ovmf` (Fedora, Arch) or `OVMF` (NixOS)");
  CHECK(install_help("no such thing").empty());
}

TEST_CASE("the package manager is known by ID, else by ID_LIKE") {
  CHECK(package_manager("ID=debian\n") == PackageManager::apt);
  CHECK(package_manager("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n") == PackageManager::apt);
  CHECK(package_manager("ID=pop\nID_LIKE=\"ubuntu debian\"\n") == PackageManager::apt);
  CHECK(package_manager("ID=fedora") == PackageManager::dnf);
  CHECK(package_manager("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"") == PackageManager::dnf);
  CHECK(package_manager("ID=arch") == PackageManager::pacman);
  CHECK(package_manager("ID=manjaro\nID_LIKE=arch") == PackageManager::pacman);
  CHECK(package_manager("ID=nixos\n") == PackageManager::nix);
  CHECK(package_manager("VERSION_ID=1\nID=alpine") == PackageManager::unknown);
  CHECK(package_manager("") == PackageManager::unknown);
  CHECK(package_manager("garbage") == PackageManager::unknown);
}

TEST_CASE("a thing is installed by the package of this system") {
  CHECK(install_command("qemu", PackageManager::apt) == "sudo apt install qemu-system-x86");
  CHECK(install_command("qemu", PackageManager::dnf) == "sudo dnf install qemu-kvm");
  CHECK(install_command("qemu", PackageManager::pacman) == "sudo pacman -S qemu-desktop");
  CHECK(install_command("ovmf", PackageManager::apt) == "sudo apt install ovmf");
  CHECK(install_command("qemu", PackageManager::nix).find("pkgs.qemu ") != std::string::npos);
  CHECK(install_command("qemu", PackageManager::unknown) ==
        "Debian and Ubuntu: qemu-system-x86; Fedora: qemu-kvm; Arch: qemu-desktop; NixOS: qemu");
}
