// SPDX-License-Identifier: MIT
#include "guest/addresses.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

const std::vector<std::string> cards{"52:54:00:AA:00:01", "52:54:00:aa:00:02"};

std::string words(const std::vector<GuestAddressFact>& all) {
  std::string out;
  for (const auto& fact : all)
    out += (out.empty() ? "" : " ") + fact.interface + '=' + fact.address + '/' +
           std::to_string(fact.prefix);
  return out;
}

}  // namespace

TEST_CASE("what an agent tells begins with the VM's own cards and what leads somewhere") {
  const std::vector<qmp::GuestInterface> interfaces{
      {"lo", "00:00:00:00:00:00", {{"127.0.0.1", 8, false}, {"::1", 128, true}}},
      {"docker0", "02:42:ac:11:00:01", {{"172.17.0.1", 16, false}}},
      {"eth0",
       "52:54:00:AA:00:01",
       {{"fe80::5054:ff:feaa:1", 64, true}, {"2001:db8::5", 64, true}, {"10.0.2.15", 24, false}}},
      {"down0", "", {}}};
  const auto all = agent_addresses(interfaces, cards);
  CHECK(words(all) ==
        "eth0=10.0.2.15/24 eth0=2001:db8::5/64 eth0=fe80::5054:ff:feaa:1/64 "
        "docker0=172.17.0.1/16");
  CHECK(all[0].mac == "52:54:00:aa:00:01");
  CHECK_FALSE(all[0].ipv6);
  CHECK(all[1].ipv6);
  CHECK(leads_somewhere(all));
  CHECK_FALSE(leads_somewhere({all[2]}));
  CHECK_FALSE(leads_somewhere({}));
}

TEST_CASE("a guest that tells nonsense is believed what can be") {
  const std::vector<qmp::GuestInterface> interfaces{
      {"a\x1b[31m", "x", {{"10.0.0.1", -5, true}, {"10.0.0.1", 4000, false}}},
      {"b", "", {{"", 0, false}, {"10.0.0.256", 8, false}, {"$(reboot)", 8, false}}}};
  const auto all = agent_addresses(interfaces, cards);
  CHECK(words(all) == "a\x1b[31m=10.0.0.1/0");
  CHECK_FALSE(all[0].ipv6);
  std::vector<qmp::GuestInterface> many(1);
  for (int each = 0; each < 1000; ++each)
    many[0].addresses.push_back(
        {"10.0." + std::to_string(each / 250) + '.' + std::to_string(each % 250), 8, false});
  CHECK(agent_addresses(many, cards).size() == 64);
  qmp::GuestInterface loud;
  loud.name = std::string(100000, 'x');
  loud.mac = std::string(100000, 'y');
  loud.addresses.resize(1);
  loud.addresses[0].address = "10.9.8.7";
  const auto kept = agent_addresses({loud}, {});
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].interface.size() == 64);
  CHECK(kept[0].mac.size() == 64);
}

TEST_CASE("the host's neighbours on a bridge are known by the MAC of a card") {
  constexpr auto table =
      "IP address       HW type     Flags       HW address            Mask     Device\n"
      "192.168.122.40   0x1         0x2         52:54:00:aa:00:02     *        virbr0\n"
      "192.168.122.41   0x1         0x0         52:54:00:aa:00:01     *        virbr0\n"
      "192.168.122.42   0x1         0x2         52:54:00:bb:00:01     *        virbr0\n"
      "cut off          0x1\n";
  CHECK(words(arp_addresses(table, cards)) == "=192.168.122.40/0");
  CHECK(arp_addresses(table, cards)[0].by == "arp");
  CHECK(arp_addresses(table, {}).empty());
  CHECK(arp_addresses("", cards).empty());
}

TEST_CASE("leases are read as dnsmasq and as libvirt write them, but for those that are over") {
  constexpr long long now = 1000;
  CHECK(words(lease_addresses("2000 52:54:00:aa:00:01 192.168.5.7 box *\n"
                              "900 52:54:00:aa:00:02 192.168.5.8 * *\n"
                              "0 52:54:00:AA:00:02 192.168.5.9 * *\n"
                              "duid 00:01\n2000 short\n",
                              cards, now)) == "=192.168.5.7/0 =192.168.5.9/0");
  CHECK(words(lease_addresses(R"([{"ip-address": "192.168.122.2",
      "mac-address": "52:54:00:aa:00:01", "hostname": "box", "expiry-time": 2000},
      {"ip-address": "192.168.122.3", "mac-address": "52:54:00:aa:00:01", "expiry-time": 10},
      {"mac-address": "52:54:00:aa:00:01"}, 7])",
                              cards, now)) == "=192.168.122.2/0");
  for (const auto* wrong : {"", "[", "[[]]", "[{}]", "{}", "\n\n", "-1 a b\n"})
    CHECK(lease_addresses(wrong, cards, now).empty());
}

TEST_CASE("what was told is kept in a file, and nothing is read out of another") {
  const GuestAddresses told{{{"eth0", "52:54:00:aa:00:01", "10.0.2.15", 24, false, "agent"},
                             {"eth0", "", "fe80::1", 64, true, "agent"}},
                            "2026-01-31T12:00:00.123Z"};
  CHECK(addresses_from_json(addresses_to_json(told)) == told);
  for (const auto* wrong : {"", "{}", "[]", R"({"addresses":[{}],"time":"x"})",
                            R"({"addresses":7,"time":"x"})", R"({"addresses":[]})"})
    CHECK(addresses_from_json(wrong) == GuestAddresses{});
}
