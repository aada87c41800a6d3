// SPDX-License-Identifier: MIT
// Asks a running guest again and again what listens in it: its agent, or over ssh while there is
// none. Forwards nothing, and remembers no answer.
#pragma once

#include "guest/agent_listeners.hpp"
#include "vm/live.hpp"
#include "vm/ssh_forwards.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

/// Somebody else uses what is needed, for a moment.
struct PortsBusy {};

/// A way into the guest that may not work at the moment: tried less and less often.
class GuestWay {
 public:
  using Clock = std::chrono::steady_clock;

  bool due() const { return Clock::now() >= at_; }
  Clock::time_point at() const { return at_; }
  const std::string& why() const { return why_; }
  /// It works, or may do so again.
  void again();
  void failed(const std::string& cause);

 private:
  static constexpr auto first_pause = std::chrono::milliseconds(2000);
  static constexpr auto longest_pause = std::chrono::milliseconds(15000);

  Clock::time_point at_ = Clock::now();
  std::chrono::milliseconds pause_ = first_pause;
  std::string why_;
};

class GuestListeners {
 public:
  /// `interrupted`, asked while ssh connects, ends that.
  GuestListeners(const LiveRecord& live, AskedProtocols asked, std::function<bool()> interrupted);

  /// Throws PortsBusy; Error where the guest cannot be asked.
  std::vector<Listener> ask();
  /// "agent", "ssh"; empty where the last question was not answered.
  const std::string& by() const { return by_; }
  /// When the next question is worth its time, after one that failed.
  GuestWay::Clock::time_point next() const { return std::min(agent_.at(), way_.at()); }
  /// Something has happened to the guest.
  void again();

  /// For ports on the guest's loopback. Does not throw: ssh_hindrance() tells.
  void open_ssh();
  SshForwards& ssh() { return ssh_; }
  /// Why there is no connection; empty where there is one, or one is worth a try.
  std::string ssh_hindrance() const;

 private:
  std::vector<Listener> ask_agent();

  const LiveRecord& live_;
  AskedProtocols asked_;
  std::function<bool()> interrupted_;
  GuestWay agent_, way_;
  SshForwards ssh_;
  std::string by_;
};

}  // namespace qlaunch
