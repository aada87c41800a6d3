// SPDX-License-Identifier: MIT
#include "vm/steps.hpp"

#include <csignal>
#include <cstdlib>

namespace qlaunch {

const std::vector<std::string_view>& step_names() {
  static const std::vector<std::string_view> names{
      "launch-locked",     "launch-cleared",  "launch-prepared",  "launch-forked",
      "launch-reported",   "launch-obeyed",   "launch-done",      "keeper-born",
      "helper-started",    "helper-ready",    "qemu-started",     "run-recorded",
      "run-reported",      "keeper-watching", "keeper-connected", "stop-asked",
      "stop-pressed",      "stop-quit",       "qemu-ended",       "helpers-ended",
      "end-recorded",      "runtime-removed", "run-forgotten",    "takeover-locked",
      "takeover-recorded", "suspend-marked",  "suspend-stopped",  "state-begun",
      "state-written",     "suspend-kept",    "suspend-ended",    "wake-loaded",
      "wake-marked",       "wake-running",    "wake-forgotten",   "warm-booting",
      "warm-stopped",      "warm-frozen",     "warm-ended",       "warm-kept",
      "warm-waiting",      "warm-loaded"};
  return names;
}

void at_step(Step step) {
  at_step(step_names().at(static_cast<std::size_t>(step)));
}

void at_step(std::string_view name) {
  static const char* const wanted = std::getenv("QLAUNCH_TEST_STOP_AT");
  if (wanted != nullptr && name == wanted) raise(SIGSTOP);
}

}  // namespace qlaunch
