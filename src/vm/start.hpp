// SPDX-License-Identifier: MIT
// Starts a plan's processes under a keeper and waits until QEMU obeys. Prepares no files and keeps
// no record beyond the live one.
#pragma once

#include "vm/live.hpp"
#include "vm/report.hpp"

#include <functional>

namespace qlaunch {

/// Forks the process that starts helpers and QEMU and becomes their keeper. What it does is told by
/// the reports; await_start() reads them.
Reports start_processes(const Plan& plan);

/// Returns when QEMU has taken its first command. Where it does not get there everything that was
/// started is ended, and the Error says why, with what QEMU or the helper printed. `interrupted` is
/// asked while waiting; true ends everything, too.
LiveRecord await_start(const Plan& plan, Reports& reports,
                       const std::function<bool()>& interrupted);

/// Ends a run that await_start() has returned, and waits until the keeper has tidied up.
void abandon_run(const LiveRecord& live, Reports& reports);

/// Ends what was started, at whatever point it is, and waits until the keeper has tidied up.
void abandon_start(const Plan& plan, Reports& reports);

}  // namespace qlaunch
