// SPDX-License-Identifier: MIT
#include "guest/reach_port.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// How soon what was refused is tried again, and a Ctrl-C that came just before is noticed.
constexpr auto between_tries = std::chrono::milliseconds(200);
/// The host's own attempts within one connection come ever later.
constexpr auto attempt_patience = std::chrono::seconds(5);

class Reaching {
 public:
  Reaching(const std::string& host, std::uint16_t port) {
    four_.sin_family = AF_INET;
    four_.sin_port = htons(port);
    six_.sin6_family = AF_INET6;
    six_.sin6_port = htons(port);
    is_four_ = inet_pton(AF_INET, host.c_str(), &four_.sin_addr) == 1;
    if (!is_four_ && inet_pton(AF_INET6, host.c_str(), &six_.sin6_addr) != 1)
      throw Error(host + " is no address");
  }

  /// Not connected yet, maybe; an errno value where it cannot be.
  int begin() {
    fd_.reset(socket(is_four_ ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return errno;
    const auto* address = is_four_ ? reinterpret_cast<const sockaddr*>(&four_)
                                   : reinterpret_cast<const sockaddr*>(&six_);
    const auto size = static_cast<socklen_t>(is_four_ ? sizeof four_ : sizeof six_);
    return connect(fd_.get(), address, size) == 0 ? 0 : errno;
  }

  /// EINPROGRESS: neither yet.
  int look(std::chrono::milliseconds patience) const {
    pollfd waiting{fd_.get(), POLLOUT, 0};
    if (poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return EINPROGRESS;
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }

  UniqueFd take() {
    fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) & ~O_NONBLOCK);
    return std::move(fd_);
  }

 private:
  sockaddr_in four_{};
  sockaddr_in6 six_{};
  bool is_four_ = false;
  UniqueFd fd_;
};

}  // namespace

UniqueFd reach_port(const std::string& host, std::uint16_t port, Clock::time_point deadline,
                    const std::function<bool()>& interrupted) {
  Reaching reaching(host, port);
  for (;;) {
    const auto give_up = std::min(Clock::now() + attempt_patience, deadline);
    int error = reaching.begin();
    while (error == EINPROGRESS && Clock::now() < give_up && !interrupted())
      error = reaching.look(between_tries);
    if (error == 0) return reaching.take();
    if (interrupted()) throw Error("interrupted");
    if (Clock::now() >= deadline)
      throw TimeoutError(
          "no connection to " + host + " port " + std::to_string(port) +
          " comes about: " + std::strerror(error == EINPROGRESS ? ETIMEDOUT : error));
    if (error != EINPROGRESS) poll(nullptr, 0, static_cast<int>(between_tries.count()));
  }
}

}  // namespace qlaunch
