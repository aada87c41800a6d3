// SPDX-License-Identifier: MIT
// Ports that one ssh connection into a guest leads to the host: those on the guest's own loopback,
// which its network card does not reach. Decides nothing about which.
//
// The connection is a process of ssh's in the background. Another process finds it again by its
// socket in the VM's runtime folder, and it ends with the VM.
#pragma once

#include "guest/agent_listeners.hpp"
#include "guest/listeners.hpp"
#include "guest/ssh_link.hpp"
#include "vm/live.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

class SshForwards {
 public:
  /// Lives as long as this.
  explicit SshForwards(const LiveRecord& live);

  /// Makes the connection where it does not stand; takes seconds where the guest does not answer,
  /// but ends soon when `interrupted` says so. Throws as open_ssh() does, and where the guest lets
  /// nobody in.
  void open(const std::function<bool()>& interrupted);
  bool stands() const;
  /// Whether the guest still answers through it; ends it otherwise.
  bool check();
  void close() noexcept;

  /// Throws where ssh refuses. 127.0.0.1:HOST_PORT leads to the listener.
  void add(const Listener& listener, std::uint16_t host_port);
  void remove(const Listener& listener, std::uint16_t host_port) noexcept;

  /// What listens in the guest, by a `cat` of its tables.
  std::vector<Listener> listeners(const AskedProtocols& asked);

 private:
  std::string control(const std::vector<std::string>& words) const;
  std::string run(const std::string& command) const;

  const LiveRecord& live_;
  std::string socket_;
};

}  // namespace qlaunch
