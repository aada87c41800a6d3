// SPDX-License-Identifier: MIT
#include "guest/reach_port.hpp"

#include "core/error.hpp"

#include <thread>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

using qlaunch::reach_port;
using qlaunch::UniqueFd;
using Clock = std::chrono::steady_clock;

namespace {

/// Bound, so that nobody else takes the port, and refused until somebody listens.
struct Bound {
  UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;

  explicit Bound(const char* host) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, host, &address.sin_addr);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
  }
};

}  // namespace

TEST_CASE("a server that comes later is reached, one that does not come is given up in time") {
  const Bound later("127.0.0.2");
  const auto begun = Clock::now();
  std::thread server([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    listen(later.fd.get(), 1);
  });
  const auto reached = reach_port("127.0.0.2", later.port, begun + std::chrono::seconds(30));
  server.join();
  CHECK(Clock::now() - begun >= std::chrono::milliseconds(300));
  CHECK((fcntl(reached.get(), F_GETFL) & O_NONBLOCK) == 0);

  const Bound never("127.0.0.1");
  CHECK_THROWS_AS(reach_port("127.0.0.1", never.port, Clock::now() + std::chrono::seconds(1)),
                  qlaunch::TimeoutError);
  CHECK_THROWS_AS(reach_port("127.0.0.1", never.port, Clock::now() + std::chrono::hours(1),
                             [] { return true; }),
                  qlaunch::Error);
}
