// SPDX-License-Identifier: MIT
#include "guest/usernet.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("QEMU's table of user networks is read by netdev") {
  // As QEMU 7.2 prints it, with a connection that came in through the first forward.
  const auto lines = parse_usernet(
      "Hub -1 (net0):\r\n"
      "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
      "  TCP[ESTABLISHED]   12       127.0.0.1 36397       10.0.2.15    22     0     0\r\n"
      "  TCP[HOST_FORWARD]   8       127.0.0.1 36397       10.0.2.15    22     0     0\r\n"
      "  UDP[HOST_FORWARD]   3               * 54110       10.0.2.15    53     0     0\r\n"
      "  ICMP[10 sec]        4       10.0.2.15 0           10.0.2.2     0      0     0\r\n"
      "Hub -1 (lan):\r\n"
      "  TCP[HOST_FORWARD]   9       127.0.0.1 34053       10.0.2.15    80     0     0\r\n"
      "  TCP[HOST_FORWARD]   9       127.0.0.1 340530      10.0.2.15    80     0     0\r\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].state == "ESTABLISHED");
  CHECK(lines[1].network == "net0");
  CHECK(lines[1].state == "HOST_FORWARD");
  CHECK(lines[1].host_port == 36397);
  CHECK(lines[1].guest_port == 22);
  CHECK(lines[2].protocol == Protocol::udp);
  CHECK(lines[2].host_address == "*");
  CHECK(lines[3].network == "lan");
  CHECK(lines[3].guest_port == 80);
  CHECK(parse_usernet("").empty());
  CHECK(parse_usernet("garbage (net0): TCP[ 1 2 3 4 5 6\n").empty());
}

TEST_CASE("user networks are found also where they forward nothing") {
  using Names = std::vector<std::string>;
  CHECK(parse_usernet_networks("Hub -1 (net0):\r\n  Protocol[State]    FD\r\nHub -1 (lan):\r\n") ==
        Names{"net0", "lan"});
  CHECK(parse_usernet_networks("").empty());
}
