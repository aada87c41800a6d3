// SPDX-License-Identifier: MIT
// What the standard streams are (terminal, width, color) and the only place that writes to them.
// Composes no texts of its own.
#pragma once

#include "core/diagnostic.hpp"
#include "core/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

enum class ColorWish { automatic, always, never };

/// The options that every command takes.
struct Globals {
  ColorWish color = ColorWish::automatic;
  bool quiet = false;
};

/// Nobody reads standard output any more (`qlaunch list | head -1`): a quiet end, no failure.
struct OutputClosed {};

class Terminal {
 public:
  explicit Terminal(const Globals& globals);

  bool quiet() const { return quiet_; }
  bool in_is_terminal() const { return in_terminal_; }
  bool out_is_terminal() const { return out_terminal_; }
  /// Whether progress is shown at all.
  bool shows_progress() const { return err_terminal_ && !quiet_ && !dumb_; }
  bool out_color() const { return out_color_; }

  /// Where prose on standard output is folded: never wider than 80.
  int prose_width() const;
  /// What tables may use; nothing where output goes to a file or program and COLUMNS is not set.
  std::optional<int> table_width() const { return out_width_; }
  /// Where messages are folded, and how wide a progress line may be.
  int message_width() const;

  /// Data, to standard output. Throws OutputClosed, or Error where it cannot be written.
  void print(std::string_view text) const;
  /// The last word of a command that did something: standard output, but not with --quiet.
  void result(std::string_view text) const;
  /// Data for standard error: what a command in a guest has written there.
  void print_error(std::string_view text) const;
  /// To standard error, but not with --quiet. What cannot be written there is lost.
  void say(std::string_view text) const;
  /// Findings and failures, to standard error, also with --quiet.
  void complain(const std::vector<Diagnostic>& diagnostics) const;
  void complain(const Diagnostic& diagnostic) const;
  void complain(const Error& error) const { complain(error.diagnostics()); }

  /// `text` in bold on a terminal with color.
  std::string bold(std::string_view text) const;

 private:
  bool quiet_ = false;
  bool dumb_ = false;
  bool in_terminal_ = false, out_terminal_ = false, err_terminal_ = false;
  bool out_color_ = false, err_color_ = false;
  std::optional<int> out_width_, err_width_;
};

}  // namespace qlaunch
