// SPDX-License-Identifier: MIT
// What a command that takes long is doing to a VM, left where other commands find it: "saving
// snapshot x, 40%" instead of a VM that does not answer. Holds nobody up: locks do that.
#pragma once

#include "host/process.hpp"

#include <memory>
#include <optional>
#include <string>

namespace qlaunch {

struct Operation {
  std::string what;   // "saving snapshot `x`"
  std::string since;  // UTC
  std::optional<int> percent;
  ProcessId process;  // of the command
  /// The command was killed, and QEMU, which does nothing else meanwhile, goes on. Only to be
  /// believed where QEMU does not answer.
  bool orphaned = false;
};

/// "saving snapshot x, 40%"
std::string operation_text(const Operation& operation);

/// Nothing where the process that left the record (for what QEMU goes on with: QEMU) has ended,
/// whatever the file says.
std::optional<Operation> operation_under_way(const std::string& name);

/// The record of this process's own operation, while this lives. One that cannot be written is no
/// failure of what it tells about.
class OperationRecord {
 public:
  OperationRecord(const std::string& name, std::string what);
  ~OperationRecord();
  OperationRecord(const OperationRecord&) = delete;
  OperationRecord& operator=(const OperationRecord&) = delete;

  /// The next part of it; no percentage yet.
  void now(std::string what);
  /// From here on QEMU does it, and would finish it without this process.
  void in_qemu(const ProcessId& qemu);
  /// May be called from another thread than the rest, while no other call is made.
  void progress(int percent);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qlaunch
