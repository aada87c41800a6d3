// SPDX-License-Identifier: MIT
// The program: words to a command, its work, and failures to messages and exit codes.
// Does no command's work.
#pragma once

namespace qlaunch {

int cli_main(int argc, char** argv);

}  // namespace qlaunch
