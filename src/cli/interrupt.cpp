// SPDX-License-Identifier: MIT
#include "cli/interrupt.hpp"

#include <array>

namespace qlaunch {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};

// The only global state: a signal handler can reach nothing else.
volatile std::sig_atomic_t last_signal = 0;

extern "C" void note_signal(int signal) {
  last_signal = signal;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  last_signal = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  for (std::size_t index = 0; index < signals.size(); ++index) {
    sigaction(signals[index], nullptr, &old_[index]);
    // What whoever started us has ignored (nohup) stays ignored.
    if (old_[index].sa_handler != SIG_IGN) sigaction(signals[index], &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t index = 0; index < signals.size(); ++index)
    sigaction(signals[index], &old_[index], nullptr);
}

bool InterruptGuard::interrupted() {
  return last_signal != 0;
}

int InterruptGuard::exit_code() {
  return 128 + last_signal;
}

void leave_signals_to_main_thread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace qlaunch
