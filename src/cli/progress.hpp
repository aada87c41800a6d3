// SPDX-License-Identifier: MIT
// What is going on, for a person at a terminal: one line per step, and one that is erased for what
// is being waited for. Shows nothing where standard error is no terminal.
#pragma once

#include "cli/download_text.hpp"
#include "cli/terminal.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace qlaunch {

class Progress {
 public:
  explicit Progress(const Terminal& terminal) : terminal_(terminal) {}
  ~Progress() { done(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A line that stays. May be called from any thread.
  void step(const std::string& text);
  void warn(const Diagnostic& diagnostic);

  /// "waiting for TEXT (12s)", kept up to date until done() is called. Shown only where it takes
  /// long enough to be read. `detail`, asked once a second, is what can be said beside it.
  void waiting(std::string text, std::function<std::string()> detail = {});
  /// A line for what is being done, replaced by the next; where it takes long enough to be read.
  /// May be called from any thread, until done() is.
  void doing(const std::string& text);
  void done();

  /// How far a download is, in a line that changes until something else is said.
  void download(const PullProgress& progress);

 private:
  void show_waiting(const std::string& text, const std::function<std::string()>& detail);

  const Terminal& terminal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread ticker_;
  bool stop_ = false;
  bool line_open_ = false;
  std::optional<std::chrono::steady_clock::time_point> doing_since_;
  Downloads downloads_;
};

}  // namespace qlaunch
