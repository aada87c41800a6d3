// SPDX-License-Identifier: MIT
#include "host/doctor.hpp"
#include "host/files.hpp"

namespace qlaunch {

PackageManager package_manager() {
  static const PackageManager manager = [] {
    for (const char* file : {"/etc/os-release", "/usr/lib/os-release"}) {
      if (const auto text = try_read_file(file)) return package_manager(*text);
    }
    return PackageManager::unknown;
  }();
  return manager;
}

std::string install_command(std::string_view thing) {
  return install_command(thing, package_manager());
}

}  // namespace qlaunch
