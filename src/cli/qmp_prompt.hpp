// SPDX-License-Identifier: MIT
// `qlaunch qmp VM` on a terminal: commands one after the other, events in between.
#pragma once

#include "cli/line_editor.hpp"
#include "cli/qmp_caller.hpp"

namespace qlaunch {

/// Until Ctrl-D or the end of the VM; the exit code.
int run_qmp_prompt(QmpCaller& caller, const Terminal& terminal);

/// What Tab offers for this beginning of a line.
Completion complete_qmp(const std::string& before, const QmpSchema& schema);

}  // namespace qlaunch
