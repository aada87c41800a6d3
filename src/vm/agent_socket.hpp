// SPDX-License-Identifier: MIT
// The guest agent of a running VM, shared by all commands with a lock: its socket serves one at a
// time, and leaves the next without a word. Does not say what to ask it.
#pragma once

#include "core/units.hpp"
#include "qmp/agent.hpp"
#include "vm/live.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace qlaunch {

/// What is asked while another has its turn.
struct AgentWait {
  /// Again and again, with the time it has taken so far; ends the wait by throwing.
  std::function<void(std::chrono::milliseconds waited)> look = [](std::chrono::milliseconds) {};
  /// At the end of the patience: true begins it anew.
  std::function<bool()> wait_on = [] { return false; };
};

class AgentSocket {
 public:
  /// Its turn comes by then, or TimeoutError names who keeps it. Whether an agent answers shows at
  /// the first call. StateError where the VM has no channel for one.
  explicit AgentSocket(const LiveRecord& live, Duration patience = std::chrono::seconds(10),
                       const qmp::AgentOptions& options = {}, AgentWait wait = {});
  ~AgentSocket();
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;

  /// Error where share() has failed before: it is not this one's turn.
  qmp::Agent& agent();

  /// For whoever stays long, between two calls: lets another have its turn, if one waits and this
  /// one has had its time. Handles of files stay good; agent() is another object then.
  void share();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qlaunch
