// SPDX-License-Identifier: MIT
#include "cli/terminal.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr int usual_width = 80;
constexpr int narrowest = 40;
constexpr int widest_message = 100;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

std::optional<int> stream_width(int fd, bool terminal) {
  if (const auto columns = parse_unsigned(variable("COLUMNS")); columns && *columns > 0)
    return std::clamp(static_cast<int>(std::min(*columns, 1000ULL)), narrowest, 1000);
  if (!terminal) return std::nullopt;
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_width;
  return std::max<int>(size.ws_col, narrowest);
}

bool wants_color(ColorWish wish, bool terminal, bool dumb) {
  if (wish != ColorWish::automatic) return wish == ColorWish::always;
  return terminal && !dumb && variable("NO_COLOR").empty();
}

/// 0, or the errno of the write that failed.
int write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

Terminal::Terminal(const Globals& globals)
    : quiet_(globals.quiet),
      dumb_(variable("TERM") == "dumb"),
      in_terminal_(isatty(STDIN_FILENO) == 1),
      out_terminal_(isatty(STDOUT_FILENO) == 1),
      err_terminal_(isatty(STDERR_FILENO) == 1),
      out_color_(wants_color(globals.color, out_terminal_, dumb_)),
      err_color_(wants_color(globals.color, err_terminal_, dumb_)),
      out_width_(stream_width(STDOUT_FILENO, out_terminal_)),
      err_width_(stream_width(STDERR_FILENO, err_terminal_)) {}

int Terminal::prose_width() const {
  return std::min(out_width_.value_or(usual_width), usual_width);
}

int Terminal::message_width() const {
  return std::min(err_width_.value_or(usual_width), widest_message);
}

void Terminal::print(std::string_view text) const {
  const int error = write_whole(STDOUT_FILENO, text);
  if (error == EPIPE) throw OutputClosed{};
  if (error != 0) throw system_error("cannot write to standard output", error);
}

void Terminal::result(std::string_view text) const {
  if (!quiet_) print(text);
}

void Terminal::print_error(std::string_view text) const {
  write_whole(STDERR_FILENO, text);
}

void Terminal::say(std::string_view text) const {
  if (!quiet_) write_whole(STDERR_FILENO, text);
}

void Terminal::complain(const std::vector<Diagnostic>& diagnostics) const {
  write_whole(STDERR_FILENO, render(diagnostics, {.color = err_color_, .width = message_width()}));
}

void Terminal::complain(const Diagnostic& diagnostic) const {
  complain(std::vector<Diagnostic>{diagnostic});
}

std::string Terminal::bold(std::string_view text) const {
  if (!out_color_) return std::string(text);
  return "\x1b[1m" + std::string(text) + "\x1b[0m";
}

}  // namespace qlaunch
