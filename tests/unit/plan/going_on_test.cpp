// SPDX-License-Identifier: MIT
// The plan of a run as that of a QEMU that goes on from its saved state.
#include "plan/going_on.hpp"

#include "core/units.hpp"
#include "facts.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

Forward forward(Protocol protocol, std::uint16_t host, std::uint16_t guest) {
  return {protocol, "127.0.0.1", host, guest};
}

Plan planned() {
  Profile profile;
  profile.name = "web";
  profile.disks.resize(2);
  profile.disks[0].name = "root";
  profile.disks[0].size = gib;
  profile.disks[1].name = "scratch";
  profile.disks[1].size = gib;
  profile.disks[1].ephemeral = true;
  profile.networks.resize(2);
  profile.networks[0].name = "net0";
  profile.networks[0].forward = {forward(Protocol::tcp, 0, 22)};
  profile.networks[1].name = "net1";
  profile.display.type = DisplayType::none;
  PlanInput input;
  input.paths = {"/run/q/web", "/data/web", "/state/web", "/cache"};
  input.paused = true;
  auto planned = make_plan(profile, test::usual_facts(test::usual_files()), input);
  for (const auto& finding : planned.diagnostics) CHECK_FALSE(finding.severity == Severity::error);
  return planned.plan;
}

std::vector<nlohmann::json> netdevs(const Plan& plan) {
  std::vector<nlohmann::json> out;
  for (const auto& argument : plan.qemu.arguments)
    if (argument.words[0] == "-netdev") out.push_back(nlohmann::json::parse(argument.words[1]));
  return out;
}

bool has(const Plan& plan, const std::vector<std::string>& words) {
  return std::any_of(plan.qemu.arguments.begin(), plan.qemu.arguments.end(),
                     [&](const Argument& argument) { return argument.words == words; });
}

std::string serial(const Plan& plan) {
  for (const auto& argument : plan.qemu.arguments)
    if (argument.words[0] == "-chardev" && argument.words[1].starts_with("socket,id=serial,"))
      return argument.words[1];
  return {};
}

}  // namespace

TEST_CASE("a QEMU that goes on waits for its state, and leads the ports it is told") {
  const auto before = planned();
  REQUIRE(has(before, {"-S"}));
  const auto after = going_on(before, {{"net0", forward(Protocol::tcp, 40022, 22), {}},
                                       {"net0", forward(Protocol::udp, 53, 5353), {}}});
  CHECK(after.qemu.arguments.back().words == std::vector<std::string>{"-incoming", "defer"});
  CHECK_FALSE(has(after, {"-S"}));
  const auto nets = netdevs(after);
  REQUIRE(nets.size() == 2);
  CHECK(nets[0]["hostfwd"] == nlohmann::json::parse(R"([{"str":"tcp:127.0.0.1:40022-:22"},)"
                                                    R"({"str":"udp:127.0.0.1:53-:5353"}])"));
  CHECK_FALSE(nets[1].contains("hostfwd"));
  CHECK(after.forwards.size() == 2);
  CHECK(serial(after) == serial(before) + ",logappend=on");
}

TEST_CASE("all else of it stays, and nothing is made anew below it") {
  const auto before = planned();
  const auto after = going_on(before, before.forwards);
  CHECK(std::none_of(after.preparations.begin(), after.preparations.end(), [](const auto& each) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    return disk != nullptr && disk->fresh;
  }));
  std::size_t same = 0;
  for (const auto& argument : before.qemu.arguments) same += has(after, argument.words) ? 1U : 0U;
  // All but -S, the serial port's log, and net0, whose JSON may be spelt anew.
  CHECK(same >= before.qemu.arguments.size() - 3);
  CHECK(netdevs(after)[0]["hostfwd"][0]["str"] == "tcp:127.0.0.1:0-:22");

  SUBCASE("twice is as once") {
    const auto again = going_on(after, after.forwards);
    REQUIRE(again.qemu.arguments.size() == after.qemu.arguments.size());
    for (std::size_t index = 0; index < again.qemu.arguments.size(); ++index)
      CHECK(again.qemu.arguments[index].words == after.qemu.arguments[index].words);
  }
  SUBCASE("a network in words of the profile's own is left alone") {
    auto own = before;
    own.qemu.arguments.push_back({{"-netdev", "user,id=mine,hostfwd=tcp::1-:2"}, {}});
    CHECK(has(going_on(own, {}), {"-netdev", "user,id=mine,hostfwd=tcp::1-:2"}));
  }
}
