// SPDX-License-Identifier: MIT
#include "vm/raw_terminal.hpp"

#include <cerrno>
#include <ctime>

#include <unistd.h>

namespace qlaunch {
namespace {

// What a signal handler can reach.
volatile std::sig_atomic_t ending_signal = 0;
volatile std::sig_atomic_t was_continued = 0;

bool make_raw(const termios& before) {
  termios raw = before;
  cfmakeraw(&raw);
  return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

}  // namespace

RawTerminal::RawTerminal() {
  ending_signal = 0;
  if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &before_) != 0) return;
  changed_ = true;
  // Let through only while waiting: none is lost between a look at the flag and the wait.
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : ending) sigaddset(&blocked, signal);
  sigprocmask(SIG_BLOCK, &blocked, &mask_before_);
  struct sigaction end {};
  end.sa_handler = [](int number) { ending_signal = number; };
  for (std::size_t index = 0; index < ending.size(); ++index)
    sigaction(ending[index], &end, &handlers_[index]);
  // Whoever stopped the process and lets it go on may have changed the terminal meanwhile.
  struct sigaction resumed {};
  resumed.sa_handler = [](int) { was_continued = 1; };
  sigaction(SIGCONT, &resumed, &continued_);
  raw_ = make_raw(before_);
}

RawTerminal::~RawTerminal() {
  if (!changed_) return;
  if (raw_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  for (std::size_t index = 0; index < ending.size(); ++index)
    sigaction(ending[index], &handlers_[index], nullptr);
  sigaction(SIGCONT, &continued_, nullptr);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

int RawTerminal::wait(pollfd* fds, std::size_t count, int milliseconds) const {
  timespec time{milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  const int ready =
      ppoll(fds, count, milliseconds < 0 ? nullptr : &time, changed_ ? &mask_before_ : nullptr);
  if (was_continued != 0 && raw_) {
    was_continued = 0;
    make_raw(before_);
  }
  return ready;
}

int RawTerminal::signal() {
  return ending_signal;
}

}  // namespace qlaunch
