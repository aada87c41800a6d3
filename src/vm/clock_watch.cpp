// SPDX-License-Identifier: MIT
#include "vm/clock_watch.hpp"

#include "vm/guest_clock.hpp"
#include "vm/journal.hpp"
#include "vm/sleep_watch.hpp"

#include <csignal>

#include <nlohmann/json.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// How long an agent may take that has just woken up with its guest.
constexpr auto setter_patience = std::chrono::seconds(30);

}  // namespace

void ClockWatch::stands_still() {
  if (!since_) since_ = read_clocks().boot;
  // A state that is loaded knows nothing of the question, and the agent serves one at a time.
  take_back();
}

void ClockWatch::goes_on() {
  if (!since_) return;
  const auto time = read_clocks().boot - *since_;
  since_.reset();
  stood_still(time, "it was paused");
}

void ClockWatch::take_back() {
  if (setter_ == 0) return;
  int status = 0;
  if (waitpid(setter_, &status, WNOHANG) == setter_) {
    owed_ = {};
  } else {
    kill(setter_, SIGKILL);
    waitpid(setter_, &status, 0);
  }
  setter_ = 0;
}

void ClockWatch::stood_still(std::chrono::nanoseconds time, const char* why) {
  take_back();
  time += owed_;
  owed_ = {};
  if (time < clock_tolerance || live_.plan.descriptor("agent") == nullptr) return;
  owed_ = time;
  setter_ = fork();
  if (setter_ < 0) setter_ = 0;
  if (setter_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto set = set_guest_clock(live_, setter_patience);
  nlohmann::json told{{"after", why}, {"seconds", std::chrono::duration<double>(time).count()}};
  if (!set.done) told["cause"] = set.why;
  journal(live_.name, set.done ? "CLOCK_SET" : "CLOCK_NOT_SET",
          told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  _exit(0);
}

}  // namespace qlaunch
