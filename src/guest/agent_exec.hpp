// SPDX-License-Identifier: MIT
// A command in a guest, by its agent, with its streams passed on while it runs. Finds no agent and
// starts no VM.
#pragma once

#include "guest/exec_script.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace qmp {
class Agent;
}

namespace qlaunch {

/// The agent, for as long as it is this command's turn.
struct AgentTurn {
  std::function<qmp::Agent&()> agent;
  /// Called between two questions: another may want its turn. The agent is another object then.
  std::function<void()> share = [] {};
};

struct AgentCommand {
  guest_exec::Words words;
  int in = -1, out = 1, err = 2;  // descriptors of this process; -1: no input
  std::optional<std::chrono::steady_clock::time_point> deadline;
  /// Looked at again and again; true ends the command, as does the deadline.
  std::function<bool()> interrupted = [] { return false; };
};

struct AgentCommandEnd {
  enum class How {
    itself,
    interrupted,
    deadline,
    unread,  // nobody reads its output any more
  };
  How how = How::itself;
  int code = 0;  // its own, or 128 + the signal that ended it
};

/// However it ends, no file and no process of the command is left in the guest; but for what it has
/// put into a session of its own, and where the agent stops answering: that throws qmp's errors.
/// `started` is told when the guest runs it. Throws Error where the guest cannot.
AgentCommandEnd run_agent_command(
    const AgentTurn& turn, const AgentCommand& command,
    const std::function<void()>& started = [] {});

}  // namespace qlaunch
