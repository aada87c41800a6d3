// SPDX-License-Identifier: MIT
// What auto_forward tells the journal, no faster than a person could read: a guest whose listeners
// flap must not fill the host's disk. Decides nothing.
#pragma once

#include "vm/journal.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace qlaunch {

class PortJournal {
 public:
  explicit PortJournal(std::string vm) : vm_(std::move(vm)) {}

  void note(const char* event, const std::string& told) {
    const auto now = std::chrono::steady_clock::now();
    if (now - begun_ >= minute) {
      begun_ = now;
      lines_ = 0;
    }
    // Enough for all ports of a guest that boots, and for what its user does.
    if (lines_ > most_lines) return;
    if (++lines_ > most_lines) return journal(vm_, "PORTS_CHANGE_TOO_OFTEN");
    journal(vm_, event, told);
  }

 private:
  static constexpr auto minute = std::chrono::minutes(1);
  static constexpr int most_lines = 300;

  std::string vm_;
  std::chrono::steady_clock::time_point begun_;
  int lines_ = 0;
};

}  // namespace qlaunch
