// SPDX-License-Identifier: MIT
#include "vm/relay.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/socket.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr std::size_t most_pending = std::size_t{256} << 10;

/// Whether the other end of a connection over the loopback is this user's: the kernel's table of
/// sockets says whose each is. VNC itself asks for no password.
bool from_this_user(const sockaddr_in& peer, std::uint16_t port) {
  std::array<char, 32> wanted{};
  // Addresses as words in memory order, ports as numbers.
  std::snprintf(wanted.data(), wanted.size(), "%08X:%04X %08X:%04X", peer.sin_addr.s_addr,
                static_cast<unsigned>(ntohs(peer.sin_port)), htonl(INADDR_LOOPBACK),
                static_cast<unsigned>(port));
  const auto table = try_read_file("/proc/net/tcp", std::size_t{64} << 20).value_or("");
  for (const auto& line : split(table, '\n')) {
    const auto at = line.find(wanted.data());
    if (at == std::string::npos) continue;
    std::vector<std::string> fields;
    for (auto& field : split(line.substr(at), ' ')) {
      if (!field.empty()) fields.push_back(std::move(field));
    }
    // local remote st queues timer retransmits uid …
    constexpr std::size_t uid_field = 6;
    return fields.size() > uid_field && fields[uid_field] == std::to_string(geteuid());
  }
  return false;
}

}  // namespace

Relay::Relay(std::string socket)
    : socket_(std::move(socket)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener_ || bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), 4) != 0 ||
      getsockname(listener_.get(), generic, &size) != 0)
    throw system_error("cannot listen on 127.0.0.1", errno);
  port_ = ntohs(address.sin_port);
}

void Relay::accept() {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  UniqueFd client(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client || !from_this_user(peer, port_)) return;
  auto server = try_connect_unix(socket_);
  if (!server) return;
  fcntl(server.get(), F_SETFL, O_NONBLOCK);
  const int there = client.get();
  const int here = server.get();
  connections_.push_back(
      {std::move(client), std::move(server), {there, here, {}, true}, {here, there, {}, true}});
}

bool Relay::move(Way& way, bool readable, bool writable) {
  if (readable && way.pending.size() < most_pending) {
    std::array<char, 65536> bytes{};
    const auto got = recv(way.from, bytes.data(), bytes.size(), 0);
    if (got > 0) way.pending.append(bytes.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) way.open = false;
  }
  if (!way.pending.empty() && (writable || readable)) {
    const auto sent = send(way.to, way.pending.data(), way.pending.size(), MSG_NOSIGNAL);
    if (sent > 0) way.pending.erase(0, static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  }
  return way.open || !way.pending.empty();
}

void Relay::serve(int pidfd) {
  for (;;) {
    std::vector<pollfd> fds{{pidfd, POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& each : connections_) {
      const auto wanted = [](const Way& in, const Way& out) {
        int events = 0;
        if (in.open && in.pending.size() < most_pending) events |= POLLIN;
        if (!out.pending.empty()) events |= POLLOUT;
        return static_cast<short>(events);
      };
      fds.push_back({each.client.get(), wanted(each.in, each.out), 0});
      fds.push_back({each.server.get(), wanted(each.out, each.in), 0});
    }
    if (poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw system_error("cannot wait", errno);
    }
    if (fds[0].revents != 0) return;
    std::size_t index = 2;
    for (auto each = connections_.begin(); each != connections_.end(); index += 2) {
      const auto ready = [&](std::size_t at, short events) {
        return (fds[at].revents & (events | POLLHUP | POLLERR)) != 0;
      };
      // Where one direction has ended, nothing useful comes in the other.
      const bool alive = move(each->in, ready(index, POLLIN), ready(index + 1, POLLOUT)) &&
                         move(each->out, ready(index + 1, POLLIN), ready(index, POLLOUT));
      each = alive ? std::next(each) : connections_.erase(each);
    }
    if (fds[1].revents != 0) accept();
  }
}

}  // namespace qlaunch
