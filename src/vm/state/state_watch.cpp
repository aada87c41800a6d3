// SPDX-License-Identifier: MIT
#include "vm/state/state_watch.hpp"

#include "vm/journal.hpp"
#include "vm/state/state_marker.hpp"
#include "vm/state/suspend.hpp"

#include <csignal>
#include <utility>

#include <nlohmann/json.hpp>

#include <sys/prctl.h>
#include <unistd.h>

namespace qlaunch {

void StateWatch::look() {
  if (who_) return;
  const auto who = who_marked(live_.plan.paths);
  if (!who) return;
  who_ = open_pidfd(*who);
  if (!who_) monitor_.settle();
}

bool StateWatch::suspend() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    SuspendRequest request;
    request.wait_for_keeper = false;
    try {
      suspend_vm(live_.name, request);
    } catch (const std::exception& error) {
      const nlohmann::json told{{"cause", error.what()}};
      journal(live_.name, "SUSPEND_FAILED",
              told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      _exit(1);
    }
    _exit(0);
  }
  own_ = true;
  who_ = open_pidfd(identify_child(child));
  return true;
}

bool StateWatch::ended() {
  who_.reset();
  // Another one may have begun since; what a dead one has left is settled.
  look();
  return std::exchange(own_, false);
}

}  // namespace qlaunch
