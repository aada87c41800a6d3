// SPDX-License-Identifier: MIT
// What this host can do for a VM, each finding with the command that mends it. Mends nothing and
// prints nothing.
#pragma once

#include "core/packages.hpp"
#include "host/paths.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

enum class Level { ok, note, warning, problem };

struct Finding {
  std::string topic;  // "kvm", "qemu", "virtiofsd" … stable, for --json
  Level level = Level::ok;
  std::string text;
  std::string mend;  // a command or what to do; empty where nothing is to be done
};

/// "ok", "note", "warning", "problem".
const char* level_name(Level level);

/// Never throws for what it finds: everything is a finding.
std::vector<Finding> examine_host(const StateRoots& roots);

/// This system's.
PackageManager package_manager();

/// The command that installs a thing here.
std::string install_command(std::string_view thing);

}  // namespace qlaunch
