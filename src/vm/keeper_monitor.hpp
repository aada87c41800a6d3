// SPDX-License-Identifier: MIT
// A keeper's own connection to QEMU: made without waiting, made again when lost.
// Draws no conclusions from what QEMU says.
#pragma once

#include "host/files.hpp"
#include "qmp/message.hpp"
#include "qmp/sync.hpp"
#include "vm/live.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace qlaunch {

class KeeperMonitor {
 public:
  using Clock = std::chrono::steady_clock;

  /// `qemu`: its pidfd, which has to outlive this.
  KeeperMonitor(const LiveRecord& live, int qemu) : live_(live), qemu_(qemu) {}

  /// Does not wait for the greeting. Where nobody listens: false, and lost() says why.
  bool connect();
  /// Readable when take() has something to do; -1 without a connection.
  int fd() const;
  /// Whether QEMU has greeted.
  bool connected() const { return client_.has_value(); }

  /// Takes the greeting, or all events that have come. True where QEMU has just greeted.
  bool take(const std::function<void(const qmp::Event&)>& event);

  /// "running", "guest-panicked"; empty where QEMU does not say.
  std::string state();
  /// The power button, once. False where nobody can hear it.
  bool press(Clock::time_point until);
  /// False where QEMU cannot be told.
  bool quit();
  /// See settle_state().
  void settle();

  /// Why there is no connection any more; empty where there is one, or never was.
  const std::string& lost() const { return lost_; }

 private:
  bool greet();
  void lose(const std::string& why);
  bool press_as_command(Clock::time_point until);

  const LiveRecord& live_;
  int qemu_;
  UniqueFd pending_;  // connected, and QEMU has not greeted yet
  std::optional<qmp::SyncClient> client_;
  std::string lost_;
};

}  // namespace qlaunch
