// SPDX-License-Identifier: MIT
// Runs that save a ready state and runs that start from it: what is different in their plans, what
// a state depends on, and with what none can be shared.
#include "plan/warm.hpp"

#include "core/units.hpp"
#include "facts.hpp"
#include "plan/plan_json.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

const std::string state = "/data/.warm/web-1/state-1";

Profile profile() {
  Profile profile;
  profile.name = "web-x";
  profile.start.warm = true;
  profile.machine.memory = 256 * mib;
  profile.machine.firmware = Firmware::uefi;
  profile.disks.resize(2);
  profile.disks[0].name = "root";
  profile.disks[0].size = gib;
  profile.disks[1].name = "cd";
  profile.disks[1].media = DiskMedia::cdrom;
  profile.disks[1].bus = DiskBus::sata;
  profile.networks.resize(1);
  profile.networks[0].name = "net0";
  profile.networks[0].forward = {{Protocol::tcp, "127.0.0.1", 0, 22}};
  profile.display.type = DisplayType::none;
  profile.ready.when.kind = ReadyWhen::Kind::ssh;
  return profile;
}

Plan plan(const Profile& what, const std::string& folder, const std::string& name = "web-x",
          std::uint16_t port = 0) {
  PlanInput input;
  input.paths = {"/run/" + name, "/data/" + name, "/state/" + name, "/cache"};
  input.ephemeral_of = "/data/web";
  input.identity = warm_identity("web");
  input.warm = WarmStart{folder};
  input.auto_ports = {port};
  auto named = what;
  named.name = name;
  auto facts = test::usual_facts(test::usual_files());
  facts.qemu.devices.insert("vmgenid");
  auto planned = make_plan(named, facts, input);
  for (const auto& finding : planned.diagnostics)
    CHECK_MESSAGE(finding.severity != Severity::error, finding.message);
  return planned.plan;
}

std::string lines(const Plan& plan) {
  std::string out;
  for (const auto& word : plan.qemu.argv()) out += word + '\n';
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<CopyFile> copies(const Plan& plan) {
  std::vector<CopyFile> out;
  for (const auto& each : plan.preparations)
    if (const auto* copy = std::get_if<CopyFile>(&each.what)) out.push_back(*copy);
  return out;
}

}  // namespace

TEST_CASE("a run that saves its state has memory that can be kept") {
  const auto made = plan(profile(), "");
  const auto* memory = made.descriptor("memory");
  REQUIRE(memory != nullptr);
  CHECK(memory->memory == 256 * mib);
  const auto text = lines(made);
  CHECK(contains(text, "\"mem-path\":\"/proc/self/fd/" + std::to_string(memory->number) + '"'));
  CHECK(contains(text, "\"share\":true"));
  CHECK(contains(text, ",memory-backend=memory"));
  CHECK_FALSE(contains(text, "-incoming"));
  CHECK(copies(made).empty());
  // What a balloon gives back would be cut out of every other run's memory.
  CHECK_FALSE(contains(text, "virtio-balloon"));
  CHECK(contains(text, "\"driver\":\"vmgenid\""));
  // Kept with the run's record.
  const auto back = plan_from_json(plan_to_json(made));
  REQUIRE(back.descriptor("memory") != nullptr);
  CHECK(back.descriptor("memory")->memory == 256 * mib);
}

TEST_CASE("a run that starts from it writes to files of its own only") {
  const auto used = plan(profile(), state, "web-y");
  CHECK(used.descriptor("memory") == nullptr);
  const auto text = lines(used);
  CHECK(contains(text, "\"mem-path\":\"" + state + "/memory\""));
  CHECK(contains(text, "\"share\":false"));
  CHECK(contains(text, "-incoming\ndefer\n"));
  CHECK(contains(text, ",logappend=on"));
  for (const auto& each : used.preparations) CHECK(!std::holds_alternative<MakeDisk>(each.what));
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& copy : copies(used)) files.emplace_back(copy.from, copy.path);
  std::sort(files.begin(), files.end());
  CHECK(files == std::vector<std::pair<std::string, std::string>>{
                     {state + "/nvram.qcow2", "/data/web-y/nvram.qcow2"},
                     {state + "/overlay-root.qcow2", "/data/web-y/root.qcow2"},
                     {state + "/serial.log", "/state/web-y/serial.log"}});
  for (const auto& disk : used.disks)
    CHECK((disk.readonly || disk.path == "/data/web-y/root.qcow2"));
  CHECK(used.macs == plan(profile(), "").macs);
  const auto back = plan_from_json(plan_to_json(used));
  CHECK(copies(back).size() == 3);
}

TEST_CASE(
    "the command lines of a state are the same for every run, and for none of another machine") {
  const auto of = [](const Profile& what, const std::string& name, std::uint16_t port) {
    PlanInput input;
    input.paths = warm_paths("/cache");
    input.ephemeral_of = "/data/web";
    input.identity = warm_identity("web");
    input.warm = WarmStart{};
    input.auto_ports = {port};
    auto named = what;
    named.name = name;
    return warm_command_lines(make_plan(named, test::usual_facts(test::usual_files()), input).plan);
  };
  const auto before = of(profile(), "web-x", 0);
  CHECK(of(profile(), "web-y", 40022) == before);
  auto other = profile();
  SUBCASE("another port of the guest is no other machine") {
    other.networks[0].forward[0].guest_port = 80;
    CHECK(of(other, "web-x", 0) == before);
    return;
  }
  SUBCASE("memory") {
    other.machine.memory *= 2;
  }
  SUBCASE("a device") {
    other.machine.rng = false;
  }
  SUBCASE("what the guest is told") {
    other.guest.credentials["token"] = "secret";
  }
  CHECK(of(other, "web-x", 0) != before);
}

TEST_CASE("what has changed is named once") {
  const WarmKey before{{"QEMU", "1"}, {"disk `a`", "x"}, {"disk `b`", "y"}};
  CHECK(changed_parts(before, before).empty());
  CHECK(changed_parts(before, {{"QEMU", "2"}, {"disk `a`", "x"}, {"disk `b`", "y"}}) ==
        std::vector<std::string>{"QEMU"});
  CHECK(changed_parts(before, {{"QEMU", "1"}, {"disk `a`", "z"}, {"the kernel", "k"}}) ==
        std::vector<std::string>{"disk `a`", "the kernel", "disk `b`"});
}

TEST_CASE("what no saved state can be shared with is said") {
  auto what = profile();
  CHECK_FALSE(unfit_for_warm_start(what, false));
  SUBCASE("virtiofs") {
    what.shares.resize(1);
    what.shares[0].driver = ShareDriver::virtiofs;
    CHECK(contains(*unfit_for_warm_start(what, false), "virtiofs"));
    what.shares[0].driver = ShareDriver::p9;
    CHECK_FALSE(unfit_for_warm_start(what, false));
  }
  SUBCASE("a network that several runs would be on") {
    for (const auto mode : {NetworkMode::bridge, NetworkMode::tap, NetworkMode::socket}) {
      what.networks[0].mode = mode;
      CHECK(contains(*unfit_for_warm_start(what, false), "address"));
    }
    what.networks[0].mode = NetworkMode::none;
    CHECK_FALSE(unfit_for_warm_start(what, false));
  }
  SUBCASE("no moment") {
    what.ready.when.kind = ReadyWhen::Kind::started;
    CHECK(contains(*unfit_for_warm_start(what, false), "[ready]"));
    // A run waits for the agent, whatever the profile says.
    CHECK_FALSE(unfit_for_warm_start(what, true));
    CHECK(warm_ready(what).kind == ReadyWhen::Kind::agent);
    what.machine.guest_agent = false;
    CHECK(unfit_for_warm_start(what, true));
  }
}
