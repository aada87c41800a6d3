// SPDX-License-Identifier: MIT
// The forwards of a running QEMU while nobody else changes them: its command socket is held.
// Does not know who wants a forward, or why.
#pragma once

#include "plan/plan.hpp"
#include "vm/live.hpp"

#include <string>
#include <vector>

namespace qlaunch {

class ForwardTable {
 public:
  /// Throws TimeoutError naming who holds the socket.
  explicit ForwardTable(LiveRecord live, Duration timeout = std::chrono::seconds(10));

  const LiveRecord& live() const { return live_; }
  std::vector<PlannedForward> forwards() const;

  /// The network that is meant, the first where `wanted` is empty; throws where there is none.
  std::string network(const std::string& wanted) const;

  /// The same forward as QEMU then has it: with its port, where any was wanted.
  PlannedForward add(const std::string& network, const Forward& forward);
  void remove(const PlannedForward& planned);

  /// So that `status` and `list` tell what is so, without asking QEMU for it. What appeared by
  /// itself is written down elsewhere.
  void write_down() const;

 private:
  std::string monitor(const std::string& line);

  LiveRecord live_;
  CommandSocket socket_;
  std::string text_;
};

/// The same end on the host.
bool same_end(const Forward& left, const Forward& right);
/// How the human monitor names it: "tcp:127.0.0.1:2223".
std::string host_end(const Forward& forward);

}  // namespace qlaunch
