// SPDX-License-Identifier: MIT
// The texts of --help: the overview, and a command's manual with the options its parser knows.
// Prints nothing.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

std::string overview(const Terminal& terminal);

/// `app` has the command's options.
std::string command_help(const CliCommand& command, const CLI::App& app, const Terminal& terminal);

/// "qlaunch up [OPTIONS] PROFILE..."
std::string usage_line(const CliCommand& command, const CLI::App& app);

}  // namespace qlaunch
