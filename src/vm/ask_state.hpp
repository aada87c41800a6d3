// SPDX-License-Identifier: MIT
// Asks the QEMUs of many VMs for their state at once, so that one that does not answer holds up
// none of the others. Starts and changes nothing.
#pragma once

#include "vm/live.hpp"

#include <memory>

namespace qlaunch {

class StateQuestions {
 public:
  StateQuestions();
  ~StateQuestions();
  StateQuestions(const StateQuestions&) = delete;
  StateQuestions& operator=(const StateQuestions&) = delete;

  /// It has a run, and stays where it is until finish(). Does not wait for the answer.
  void ask(VmStatus& status);
  /// Fills in `state` and `qemu_state` of each; one that has ended meanwhile becomes stopped.
  /// Returns when all have answered, at the latest two seconds after the first was asked.
  void finish();

 private:
  struct All;
  std::unique_ptr<All> all_;
};

}  // namespace qlaunch
