// SPDX-License-Identifier: MIT
#include "plan/plan_json.hpp"

#include "core/error.hpp"
#include "core/units.hpp"
#include "facts.hpp"
#include "plan/explain.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

Plan full_plan() {
  Profile profile;
  profile.name = "odd \"name\", with \xc3\xa9";
  profile.machine.firmware = Firmware::uefi_secure;
  profile.machine.tpm = true;
  profile.disks.resize(3);
  profile.disks[0].name = "root";
  profile.disks[0].size = 10 * gib;
  profile.disks[0].image = "builtin:hello";
  profile.disks[1].name = "throwaway";
  profile.disks[1].size = gib;
  profile.disks[1].ephemeral = true;
  profile.disks[2].name = "image";
  profile.disks[2].image = "i";
  profile.images.resize(1);
  profile.images[0].name = "i";
  profile.images[0].url = "https://example.org/i";
  profile.images[0].sha256 = "cd";
  profile.networks.resize(1);
  profile.networks[0].name = "net0";
  profile.networks[0].forward = {{Protocol::udp, "0.0.0.0", 5353, 53}};
  profile.networks[0].subnet = "192.168.76.0/24";
  profile.networks[0].auto_forward = {{false, Protocol::tcp, {1024, 65535}, 1024},
                                      {true, {}, {9000, 9000}, 9000}};
  profile.networks[0].auto_forward_taken = TakenPort::other;
  profile.shares.resize(1);
  profile.shares[0].tag = "store";
  profile.shares[0].path = "/nix/store";
  profile.shares[0].readonly = true;
  profile.display.type = DisplayType::spice;
  profile.display.listen = "127.0.0.1:5930";
  profile.guest.credentials = {{"a", "b"}};
  profile.guest.user = "ada";
  profile.guest.hostname = "box";
  profile.guest.forward_agent = true;
  profile.ready.when = {ReadyWhen::Kind::serial, "login: ", 0};
  profile.shutdown.on_host = OnHostShutdown::suspend;
  auto facts = test::usual_facts();
  facts.virtiofsd_kind = VirtiofsdKind::c;
  PlanInput input;
  input.paths = {"/run/q/vm", "/data/vm", "/state/vm", "/cache"};
  auto planned = make_plan(profile, facts, input);
  REQUIRE_FALSE(has_errors(planned.diagnostics));
  return std::move(planned.plan);
}

}  // namespace

TEST_CASE("a plan survives being written and read") {
  const auto plan = full_plan();
  const auto text = plan_to_json(plan);
  const auto back = plan_from_json(text);
  CHECK(plan_to_json(back) == text);
  CHECK(back.qemu.argv() == plan.qemu.argv());
  CHECK(plan_arguments_json(back) == plan_arguments_json(plan));
  REQUIRE(back.helpers.size() == 2);
  CHECK(back.helpers[1].readonly_folder == "/nix/store");
  CHECK(back.helpers[1].user_namespace);
  CHECK_FALSE(back.helpers[0].user_namespace);
  CHECK(back.preparations.size() == plan.preparations.size());
  REQUIRE(back.nvram);
  CHECK(back.nvram->node == "nvram");
  REQUIRE(back.auto_forward);
  CHECK(back.auto_forward->network == "net0");
  CHECK(back.auto_forward->rules == plan.auto_forward->rules);
  CHECK(back.auto_forward->rules.size() == 2);
  CHECK(back.auto_forward->taken == TakenPort::other);
  CHECK(back.auto_forward->guest_address == "192.168.76.15");
  CHECK(back.guest.user == "ada");
  CHECK(back.guest.hostname == "box");
  CHECK(back.guest.forward_agent);
  CHECK(back.ready.when == plan.ready.when);
  CHECK(back.ready.timeout == plan.ready.timeout);
  CHECK(back.shutdown.on_host == OnHostShutdown::suspend);
  CHECK(back.display == DisplayType::spice);
  CHECK(back.forwards.at(0).forward == plan.forwards.at(0).forward);
  CHECK(back.missing_images.at(0).digest == "cd");
  CHECK(back.descriptor("agent")->number == 6);
  CHECK(back.spice_address == "spice://127.0.0.1:5930");
}

TEST_CASE("a window's default environment is part of the record") {
  Profile profile;
  profile.name = "vm";
  profile.display.type = DisplayType::gtk;
  const auto plan = make_plan(profile, test::usual_facts(), PlanInput{}).plan;
  REQUIRE(plan.qemu.variables.size() == 1);
  const auto back = plan_from_json(plan_to_json(plan));
  REQUIRE(back.qemu.variables.size() == 1);
  CHECK(back.qemu.variables[0].name == "DBUS_SESSION_BUS_ADDRESS");
  CHECK(back.qemu.variables[0].value == "disabled:");
  profile.display.type = DisplayType::none;
  CHECK(make_plan(profile, test::usual_facts(), PlanInput{}).plan.qemu.variables.empty());
}

TEST_CASE("every member of the record is read: a plan that lacks one is refused") {
  const auto whole = nlohmann::json::parse(plan_to_json(full_plan()));
  for (const auto& member : whole.items()) {
    const std::string& key = member.key();
    // Only with UEFI, and only where the profile has it.
    if (key == "nvram" || key == "auto_forward") continue;
    auto part = whole;
    part.erase(key);
    CHECK_THROWS_AS_MESSAGE(plan_from_json(part.dump()), Error, key);
  }
}

TEST_CASE("what is no plan is an error, not a crash") {
  for (const char* wrong : {"", "{", "null", "[]", "{}", "{\"version\": \"1\"}", "\xff"})
    CHECK_THROWS_AS(plan_from_json(wrong), Error);
  auto newer = nlohmann::json::parse(plan_to_json(full_plan()));
  newer["version"] = 99;
  try {
    plan_from_json(newer.dump());
    FAIL("read a plan of the future");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "the plan is of version 99, and this qlaunch reads up to 1");
  }
}

TEST_CASE("a listing of arguments shows no secrets") {
  const auto json = nlohmann::json::parse(plan_arguments_json(full_plan()));
  CHECK(json.dump().find("credential:a=b") == std::string::npos);
  CHECK(json.at("qemu").at("descriptors").at(0).at("fd") == 3);
  CHECK(json.at("qemu").at("descriptors").at(0).at("role") == "qmp");
  CHECK(json.at("helpers").at(1).at("descriptors").at(0).at("fd") == 3);
}
