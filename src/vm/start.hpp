// SPDX-License-Identifier: MIT
// Starts a plan's processes under a keeper and waits until QEMU obeys. Prepares no files and keeps
// no record beyond the live one.
#pragma once

#include "vm/live.hpp"

#include <functional>
#include <string>

namespace qlaunch {

/// What a keeper says through its report pipe, one JSON object a line.
struct KeeperReport {
  enum class Kind { started, failed, ended } kind = Kind::started;
  std::string text;  // failed: why; ended: how QEMU ended
  std::string help;
};

/// Ignores a reader that has gone.
void send_report(int fd, const KeeperReport& report);

/// The plan's processes run and QEMU has taken its first command. Where that fails, everything that
/// was started is ended and the Error says why, with what QEMU or the helper printed.
/// `interrupted` is asked while waiting; true ends everything, too.
LiveRecord start_processes(const Plan& plan, const std::function<bool()>& interrupted);

/// Where QEMU's own output goes.
std::string qemu_log(const VmPaths& paths);

/// The last lines of a log, for an error message; empty where there are none.
std::string last_lines(const std::string& path, std::size_t count = 20);

}  // namespace qlaunch
