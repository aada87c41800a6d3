// SPDX-License-Identifier: MIT
// A Unix socket made reachable on a port of 127.0.0.1, for programs that know no Unix sockets, and
// for this user alone. Understands nothing of what goes through.
#pragma once

#include "host/files.hpp"

#include <cstdint>
#include <list>
#include <string>

namespace qlaunch {

class Relay {
 public:
  /// Listens on a free port.
  explicit Relay(std::string socket);

  std::uint16_t port() const { return port_; }

  /// Serves until `pidfd` says that its process has ended.
  void serve(int pidfd);

 private:
  /// One direction of a connection.
  struct Way {
    int from = -1, to = -1;
    std::string pending;
    bool open = true;
  };
  struct Connection {
    UniqueFd client, server;
    Way in, out;
  };

  void accept();
  static bool move(Way& way, bool readable, bool writable);

  std::string socket_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::list<Connection> connections_;
};

}  // namespace qlaunch
