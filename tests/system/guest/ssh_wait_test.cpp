// SPDX-License-Identifier: MIT
// How soon `wait --for ssh` returns once the guest's server answers.
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/process.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

using test::Home;

namespace {

using Clock = std::chrono::steady_clock;

/// Connections one after the other, each given twenty milliseconds, until one hears the server's
/// first words. The time of that.
Clock::time_point first_answer(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto deadline = Clock::now() + std::chrono::minutes(1);
  while (Clock::now() < deadline) {
    const qlaunch::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      poll(nullptr, 0, 5);
      continue;
    }
    pollfd waiting{fd.get(), POLLIN, 0};
    poll(&waiting, 1, 20);
    std::array<char, 4> words{};
    const auto got = recv(fd.get(), words.data(), words.size(), MSG_DONTWAIT);
    if (got == 4 && std::equal(words.begin(), words.end(), "SSH-")) return Clock::now();
    if (got == 0) poll(nullptr, 0, 5);
  }
  FAIL("no ssh server came up");
  return {};
}

}  // namespace

TEST_CASE("waiting for ssh ends soon after the server's first words") {
  if (micro::skipped()) return;
  std::vector<double> late;
  // Of three, as this machine may do something else for a moment.
  for (int round = 0; round < 3; ++round) {
    Home home;
    const micro::Guest guest(home, "soon", {.ready = "started"});
    const auto port = std::stoi(guest.get("ssh_port"));
    const auto waiting = home.start({"wait", "soon", "--for", "ssh", "--timeout", "60s"});
    const auto answered = first_answer(port);
    REQUIRE(qlaunch::wait_exit(waiting.pidfd.get(), Clock::now() + std::chrono::minutes(1)));
    late.push_back(std::chrono::duration<double, std::milli>(Clock::now() - answered).count());
    CHECK(qlaunch::reap(waiting, Clock::now() + std::chrono::seconds(5)) == 0);
  }
  MESSAGE("`wait --for ssh` returned " << late[0] << ", " << late[1] << " and " << late[2]
                                       << " ms after the server answered");
  CHECK(*std::min_element(late.begin(), late.end()) < 150);
}
