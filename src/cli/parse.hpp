// SPDX-License-Identifier: MIT
// The words of the command line to what is to be done. Runs nothing and prints nothing.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// The words after "qlaunch", split at the command.
struct Words {
  Globals globals;
  bool help = false;
  bool version = false;
  std::vector<std::string> rest;  // the command or profile first
};
Words parse_globals(const std::vector<std::string>& words);

struct Parsed {
  Run run;           // where no help was asked for
  std::string help;  // the text of --help, composed for a terminal made from `globals`
};

/// Throws UsageError, in qlaunch's words, for whatever the command does not understand.
Parsed parse_command(const CliCommand& command, const std::vector<std::string>& words,
                     Globals& globals);

/// The command's help for `qlaunch help COMMAND`.
std::string help_of(const CliCommand& command, const Globals& globals);

}  // namespace qlaunch
