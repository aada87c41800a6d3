// SPDX-License-Identifier: MIT
// Staying beside a VM until it has ended, as a service manager or a terminal wants it: signals stop
// the guest, a notify socket is told how it goes. Starts nothing.
#pragma once

#include "vm/live.hpp"
#include "vm/notify.hpp"
#include "vm/record.hpp"

#include <functional>
#include <string>

namespace qlaunch {

/// A second Ctrl-C counts as one only so long after the first: some wrappers pass the signal on
/// that the terminal has given to everybody already.
constexpr auto second_interrupt = std::chrono::milliseconds(500);

/// What a process that stayed with the VM ends with: 0 where the guest powered off or somebody
/// ended the VM on purpose, 4 where the guest had to be ended after it was asked to stop, else 1.
int foreground_exit_code(const EndOfRun& end);

class Foreground {
 public:
  Foreground() : notifier_(Notifier::from_environment()) {}

  /// What it needs is on its way, which takes as long as it takes.
  void fetching(const std::string& what) const;
  /// It runs, and the guest may take so long until it is ready.
  void started(const LiveRecord& live, const std::string& waits_for, Duration timeout) const;
  void ready(const LiveRecord& live) const;
  void not_ready(const std::string& why) const;

  /// SIGTERM, SIGHUP and SIGINT come here from now on: they ask the guest to power off, and a
  /// second SIGINT ends the VM. `signal`: one of them that has come already, or 0. Returns how the
  /// VM ended; `say` tells what happens meanwhile.
  EndOfRun stay(const LiveRecord& live, int signal,
                const std::function<void(const std::string&)>& say) const;

 private:
  Notifier notifier_;
};

}  // namespace qlaunch
