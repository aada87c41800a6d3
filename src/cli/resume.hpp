// SPDX-License-Identifier: MIT
// `qlaunch resume`: lets paused VMs go on. How is in vm/power.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct ResumeOptions {
  std::vector<std::string> vms;
};

void add_resume(CLI::App& app, ResumeOptions& options);
int resume(const ResumeOptions& options, Terminal& terminal);

}  // namespace qlaunch
