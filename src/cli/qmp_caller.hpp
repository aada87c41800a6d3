// SPDX-License-Identifier: MIT
// Carries out QMP commands that a person typed, each in a turn of its own on the command socket.
// Reads no input.
#pragma once

#include "cli/qmp_line.hpp"
#include "cli/terminal.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>

namespace qlaunch {

class QmpCaller {
 public:
  QmpCaller(std::string vm, Duration timeout) : vm_(std::move(vm)), timeout_(timeout) {}

  /// Asked of QEMU at the first need.
  const QmpSchema& schema();
  /// Prints what QEMU answers: indented on a terminal, else in one line. Throws what went wrong.
  void call(const QmpLine& line, const Terminal& terminal);
  QmpLine read(std::string_view line);
  QmpLine read(const std::vector<std::string>& words);

  const std::string& vm() const { return vm_; }

 private:
  std::string vm_;
  Duration timeout_;
  std::optional<QmpSchema> schema_;
};

}  // namespace qlaunch
