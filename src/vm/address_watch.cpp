// SPDX-License-Identifier: MIT
#include "vm/address_watch.hpp"

#include "vm/addresses.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// A guest that has just started its agent gets its addresses in the next seconds; later they
/// change rarely.
constexpr auto ask_first = std::chrono::milliseconds(500);
constexpr auto ask_at_least = std::chrono::milliseconds(60000);
constexpr auto address_patience = std::chrono::seconds(2);
constexpr int most_in_vain = 8;

}  // namespace

void AddressWatch::agent_there() {
  if (live_.plan.descriptor("agent") == nullptr) return;
  there_ = perhaps_ = true;
  in_vain_ = 0;
  pause_ = ask_first;
  next_ = Clock::now();
}

void AddressWatch::agent_gone() {
  perhaps_ = false;
  stands_still();
}

void AddressWatch::stands_still() {
  there_ = false;
  next_.reset();
}

void AddressWatch::goes_on() {
  if (perhaps_) agent_there();
}

void AddressWatch::ask() {
  next_.reset();
  if (pid_ != 0 || !there_) return;
  const auto keeper = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == keeper) ask_addresses(live_, address_patience);
    _exit(0);
  }
  if (pid_ < 0) {
    pid_ = 0;
    next_ = Clock::now() + ask_at_least;
    return;
  }
  process_ = open_pidfd(identify_child(pid_));
}

void AddressWatch::ended() {
  if (pid_ != 0) waitpid(std::exchange(pid_, 0), nullptr, 0);
  process_.reset();
  if (!there_ || next_) return;
  if (read_addresses(live_)) in_vain_ = 0;
  if (++in_vain_ == most_in_vain) return agent_gone();
  next_ = Clock::now() + pause_;
  pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, ask_at_least);
}

void AddressWatch::end() {
  agent_gone();
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  ended();
}

}  // namespace qlaunch
