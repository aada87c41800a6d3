// SPDX-License-Identifier: MIT
#include "guest/listeners.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

// As a guest with Linux 6.1 prints them.
constexpr std::string_view tcp_table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode                                                     \n"
    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "9906 1 0000000030320cc9 100 0 0 10 5                      \n"
    "   1: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "9907 1 0000000030320cc9 100 0 0 10 0                      \n"
    "   2: 0F02000A:0016 0202000A:D832 01 00000000:00000000 00:00000000 00000000     0        0 "
    "9960 3 0000000015099f9f 20 4 15 10 -1                     \n";
constexpr std::string_view tcp6_table =
    "  sl  local_address                         remote_address                        st tx_queue "
    "rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000000000000000000001000000:0BBA 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 9914 1 00000000a8e92cd8 100 0 0 10 0\n"
    "   1: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 9915 1 00000000a8e92cd8 100 0 0 10 0\n"
    "   2: 0000000000000000FFFF00000100007F:0BBC 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000    33        0 9916 1 00000000a8e92cd8 100 0 0 10 0\n"
    "   3: B80D0120000000000000000001000000:0BBD 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 9917 1 00000000a8e92cd8 100 0 0 10 0\n";
constexpr std::string_view udp_table =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode ref pointer drops             \n"
    "  135: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 "
    "17354 2 00000000e0b4d6f3 0         \n"
    "  150: 0F02000A:0044 0202000A:0043 01 00000000:00000000 00:00000000 00000000   100        0 "
    "17350 2 00000000e0b4d6f4 0         \n";

}  // namespace

TEST_CASE("listeners are read out of the kernel's tables") {
  CHECK(parse_listeners(tcp_table, Protocol::tcp) ==
        std::vector<Listener>{{Protocol::tcp, "0.0.0.0", 22, 0},
                              {Protocol::tcp, "127.0.0.1", 3001, 1000}});
  CHECK(parse_listeners(tcp6_table, Protocol::tcp) ==
        std::vector<Listener>{{Protocol::tcp, "::1", 3002, 0},
                              {Protocol::tcp, "::", 3000, 0},
                              {Protocol::tcp, "127.0.0.1", 3004, 33},
                              {Protocol::tcp, "2001:db8::1", 3005, 0}});
  // A DHCP client is connected to its server, and waits for nobody else.
  CHECK(parse_listeners(udp_table, Protocol::udp) ==
        std::vector<Listener>{{Protocol::udp, "127.0.0.53", 53, 101}});
}

TEST_CASE("of a table of tcp the listeners come first") {
  CHECK(past_listeners(tcp_table));
  CHECK_FALSE(past_listeners(tcp6_table));
  CHECK_FALSE(past_listeners(tcp_table.substr(0, tcp_table.find("   2:"))));
  // A line that has not come whole says nothing yet.
  CHECK_FALSE(past_listeners(tcp_table.substr(0, tcp_table.size() - 60)));
  CHECK_FALSE(past_listeners(""));
}

TEST_CASE("a table that is cut off, or made up, gives what is whole in it") {
  for (std::size_t length = 0; length < tcp_table.size(); ++length) {
    const auto found = parse_listeners(tcp_table.substr(0, length), Protocol::tcp);
    REQUIRE(found.size() <= 2);
    for (const auto& each : found) CHECK((each.port == 22 || each.port == 3001));
  }
  const std::string rest = " 00000000:0000 0A 0:0 0:0 0 0 0 1\n";
  for (const std::string wrong :
       {"   0: 00000000:0016", "0: 00000000:00016", "0: 0000000:0016", "0: 0000000g:0016",
        "0: 00000000:-016", "0: 00000000:0000", "x: 00000000:0016", ": 00000000:0016",
        "0: 00000000", "0: :", "0: 00000000000000000000000000000000000:0016",
        "99999999999: 00000000:0016", "0: +0000000:0016"}) {
    const bool whole = wrong == "   0: 00000000:0016";
    CHECK_MESSAGE(parse_listeners(wrong + rest, Protocol::tcp).size() == (whole ? 1 : 0), wrong);
  }
  CHECK(parse_listeners("0: 00000000:0016 00000000:0000 0A 0:0 0:0 0 -1 0 1\n", Protocol::tcp)
            .empty());
  CHECK(parse_listeners(std::string(1 << 16, '\0') + '\n', Protocol::tcp).empty());
  CHECK(parse_listeners(std::string(1 << 16, ' ') + '\n', Protocol::tcp).empty());
  // It does not take more of them than a host can use.
  std::string many;
  for (int line = 0; line < 10000; ++line) many += "0: 00000000:0016" + rest;
  CHECK(parse_listeners(many, Protocol::tcp).size() == 4096);
}

TEST_CASE("who can reach a listener follows from its address") {
  for (const auto* address : {"127.0.0.1", "127.0.0.53", "::1"}) CHECK(on_loopback(address));
  for (const auto* address : {"0.0.0.0", "::", "10.0.2.15", "fe80::1"})
    CHECK_FALSE(on_loopback(address));
  CHECK(on_any_address("0.0.0.0"));
  CHECK(on_any_address("::"));
  CHECK_FALSE(on_any_address("127.0.0.1"));
}
