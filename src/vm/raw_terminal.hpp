// SPDX-License-Identifier: MIT
// A terminal on standard input that passes every key on, put back however the process ends.
// Interprets no keys.
#pragma once

#include <array>
#include <csignal>

#include <poll.h>
#include <termios.h>

namespace qlaunch {

class RawTerminal {
 public:
  /// Changes nothing where standard input is no terminal. While it lives, signals that would end
  /// the process only set signal(), so that the terminal can be put back first.
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  bool raw() const { return raw_; }

  /// poll(), ended by a signal also where that came just before. 0 or less: nothing is ready.
  int wait(pollfd* fds, std::size_t count, int milliseconds) const;

  /// The signal that asked to end, 0 for none.
  static int signal();

 private:
  // A closed window or a `kill` must not leave the shell behind it in raw mode.
  static constexpr std::array ending{SIGTERM, SIGHUP, SIGINT, SIGQUIT};

  termios before_{};
  sigset_t mask_before_{};
  std::array<struct sigaction, ending.size()> handlers_{};
  struct sigaction continued_ {};
  bool changed_ = false;  // signals and their mask
  bool raw_ = false;
};

}  // namespace qlaunch
