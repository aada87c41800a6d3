// SPDX-License-Identifier: MIT
#include "plan/identity.hpp"

#include "plan/bootspec.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace qlaunch::planner;

TEST_CASE("a derived MAC has QEMU's prefix and differs by VM, network and host") {
  const auto mac = derived_mac("vm", "net0", "host");
  CHECK(mac.size() == 17);
  CHECK(mac.starts_with("52:54:00:"));
  CHECK(mac == derived_mac("vm", "net0", "host"));
  const std::set<std::string> all{mac, derived_mac("vm2", "net0", "host"),
                                  derived_mac("vm", "net1", "host"),
                                  derived_mac("vm", "net0", "host2")};
  CHECK(all.size() == 4);
}

TEST_CASE("what was derived once stays: records and leases hold it") {
  CHECK(derived_mac("nixos-sway", "net0", "0123456789abcdef0123456789abcdef") ==
        "52:54:00:60:d5:8c");
  CHECK(stable_hash({"a", "bc"}) != stable_hash({"ab", "c"}));
}

TEST_CASE("MAC addresses of many VMs collide no more often than chance") {
  std::set<std::string> all;
  constexpr int count = 2000;
  for (int index = 0; index < count; ++index)
    all.insert(derived_mac("vm" + std::to_string(index), "net0", "host"));
  // 2000 out of 2^24: a tenth of a pair is expected.
  CHECK(all.size() >= count - 3);
}

TEST_CASE("a derived UUID has version 8 and the variant of RFC 9562") {
  const auto uuid = derived_uuid("vm", "host");
  REQUIRE(uuid.size() == 36);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) CHECK(uuid[dash] == '-');
  CHECK(uuid[14] == '8');
  CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
  CHECK(uuid == derived_uuid("vm", "host"));
  CHECK(uuid != derived_uuid("vm2", "host"));
}

TEST_CASE("ids keep a name that QEMU takes, and hash one that it does not") {
  CHECK(qemu_id("disk-", "root") == "disk-root");
  CHECK(qemu_id("disk-", std::string(26, 'x')) == "disk-" + std::string(26, 'x'));
  for (const std::string& name : {std::string(27, 'x'), std::string("a b"), std::string("a,b"),
                                  std::string("../x"), std::string()}) {
    const auto id = qemu_id("disk-", name);
    CHECK(id.size() == 5 + 16);
    CHECK(id.find_first_not_of("disk-0123456789abcdef") == std::string::npos);
  }
  CHECK(qemu_id("disk-", "a b") != qemu_id("disk-", "a,b"));
}

TEST_CASE("a bootspec gives kernel, initrd and a command line that begins with init") {
  const auto spec = parse_bootspec(
      R"({"org.nixos.bootspec.v1": {"kernel": "/k", "initrd": "/i", "init": "/s/init",
          "kernelParams": ["a", "b=c"], "initrdSecrets": "/s/append"}})");
  REQUIRE(spec);
  CHECK(spec->secrets == "/s/append");
  CHECK(spec->kernel == "/k");
  CHECK(spec->initrd == "/i");
  CHECK(spec->cmdline == "init=/s/init a b=c");
  for (const char* wrong :
       {"", "{", "[]", "{}", R"({"org.nixos.bootspec.v1": {}})", R"({"org.nixos.bootspec.v1": 1})",
        R"({"org.nixos.bootspec.v1": {"kernel": 1, "init": "/s", "kernelParams": []}})"})
    CHECK_FALSE(parse_bootspec(wrong));
}
