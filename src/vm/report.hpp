// SPDX-License-Identifier: MIT
// What a keeper tells the `up` that started it, over a pipe. Does not decide what follows from it.
#pragma once

#include "host/files.hpp"

#include <optional>
#include <string>

namespace qlaunch {

struct KeeperReport {
  enum class Kind { started, failed, ended } kind = Kind::started;
  std::string text;  // failed: why; ended: how QEMU ended
  std::string help;
};

/// One JSON object in one line. Ignores a reader that has gone, and -1.
void send_report(int fd, const KeeperReport& report);

/// The pipe's reading end.
class Reports {
 public:
  Reports() = default;
  explicit Reports(UniqueFd pipe) : pipe_(std::move(pipe)) {}

  /// Waits for the next report; nothing when the keeper has gone.
  std::optional<KeeperReport> next();

 private:
  UniqueFd pipe_;
  std::string buffer_;
};

}  // namespace qlaunch
