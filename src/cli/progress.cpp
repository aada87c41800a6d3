// SPDX-License-Identifier: MIT
#include "cli/progress.hpp"

#include "cli/interrupt.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

#include <chrono>

namespace qlaunch {
namespace {

constexpr auto worth_showing = std::chrono::milliseconds(300);
constexpr auto tick = std::chrono::seconds(1);
constexpr std::string_view erase_line = "\r\x1b[K";

}  // namespace

void Progress::step(const std::string& text) {
  if (!terminal_.shows_progress()) return;
  const std::lock_guard lock(mutex_);
  if (line_open_) terminal_.say(erase_line);
  line_open_ = false;
  terminal_.say("  " + printable(text) + "\n");
}

void Progress::warn(const Diagnostic& diagnostic) {
  const std::lock_guard lock(mutex_);
  if (line_open_) terminal_.say(erase_line);
  line_open_ = false;
  terminal_.complain(diagnostic);
}

void Progress::waiting(std::string text, std::function<std::string()> detail) {
  done();
  if (!terminal_.shows_progress()) return;
  stop_ = false;
  ticker_ = std::thread([this, text = std::move(text), detail = std::move(detail)] {
    leave_signals_to_main_thread();
    show_waiting(printable(text), detail);
  });
}

void Progress::show_waiting(const std::string& text, const std::function<std::string()>& detail) {
  const auto begin = std::chrono::steady_clock::now();
  const auto room = static_cast<std::size_t>(terminal_.message_width()) - 1;
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, worth_showing, [&] { return stop_; })) return;
  do {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    const auto more = detail ? detail() : std::string();
    auto line = decode_utf8_lossy("  waiting for " + text + " (" +
                                  format_duration(std::max<Duration>(seconds, tick)) + ")" +
                                  (more.empty() ? "" : ": " + printable(more)));
    // A line that wraps could not be erased.
    if (line.size() > room) line.resize(room);
    terminal_.say(std::string(erase_line) + encode_utf8(line));
    line_open_ = true;
  } while (!changed_.wait_for(lock, tick, [&] { return stop_; }));
}

void Progress::doing(const std::string& text) {
  if (!terminal_.shows_progress()) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!doing_since_) doing_since_ = now;
  if (now - *doing_since_ < worth_showing) return;
  auto line = decode_utf8_lossy("  " + printable(text));
  const auto room = static_cast<std::size_t>(terminal_.message_width()) - 1;
  if (line.size() > room) line.resize(room);
  terminal_.say(std::string(erase_line) + encode_utf8(line));
  line_open_ = true;
}

void Progress::download(const PullProgress& progress) {
  if (!terminal_.shows_progress()) return;
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    const auto room = static_cast<std::size_t>(terminal_.message_width()) - 1;
    text = downloads_.text(progress, std::chrono::steady_clock::now(), room);
  }
  // The margin is put back there.
  doing(text.substr(std::min<std::size_t>(2, text.size())));
}

void Progress::done() {
  if (!ticker_.joinable()) {
    const std::lock_guard lock(mutex_);
    if (doing_since_ && line_open_) {
      terminal_.say(erase_line);
      line_open_ = false;
    }
    doing_since_.reset();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  ticker_.join();
  if (line_open_) terminal_.say(erase_line);
  line_open_ = false;
}

}  // namespace qlaunch
