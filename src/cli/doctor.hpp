// SPDX-License-Identifier: MIT
// `qlaunch doctor`: what this host can do for VMs. Mends nothing itself.
#pragma once

#include "cli/command.hpp"

namespace qlaunch {

struct DoctorOptions {
  bool json = false;
};

void add_doctor(CLI::App& app, DoctorOptions& options);
int doctor(const DoctorOptions& options, Terminal& terminal);

}  // namespace qlaunch
