// SPDX-License-Identifier: MIT
// What a keeper tells the `up` that started it, over a pipe. Does not decide what follows from it.
#pragma once

#include "host/files.hpp"

#include <functional>
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

/// The pipe's reading end, and a pidfd of the keeper-to-be.
class Reports {
 public:
  Reports() = default;
  explicit Reports(UniqueFd pipe, UniqueFd keeper = UniqueFd())
      : pipe_(std::move(pipe)), keeper_(std::move(keeper)) {}

  /// Waits for the next report; nothing when the keeper has gone, or `interrupted` says so.
  std::optional<KeeperReport> next(const std::function<bool()>& interrupted = [] { return false; });

  int keeper() const { return keeper_.get(); }

 private:
  UniqueFd pipe_, keeper_;
  std::string buffer_;
};

}  // namespace qlaunch
