// SPDX-License-Identifier: MIT
// What a run of which nothing is left writes to, what a renamed VM keeps, and a CD booted once.
#include "core/units.hpp"
#include "facts.hpp"
#include "plan/plan.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

Profile web() {
  Profile profile;
  profile.name = "web-x";
  profile.disks.resize(1);
  profile.disks[0].name = "root";
  profile.disks[0].size = gib;
  profile.networks.resize(1);
  profile.networks[0].name = "net0";
  profile.display.type = DisplayType::none;
  return profile;
}

PlanInput ephemeral() {
  PlanInput input;
  input.paths = {"/run/q/web-x", "/data/web-x", "/state/web-x", "/cache"};
  input.ephemeral_of = "/data/web";
  return input;
}

Plan plan(const Profile& profile, const PlanInput& input, test::Files files = {}) {
  auto all = test::usual_files();
  all.insert(files.begin(), files.end());
  auto planned = make_plan(profile, test::usual_facts(all), input);
  for (const auto& finding : planned.diagnostics) CHECK_FALSE(finding.severity == Severity::error);
  return planned.plan;
}

std::vector<MakeDisk> made(const Plan& plan) {
  std::vector<MakeDisk> out;
  for (const auto& each : plan.preparations)
    if (const auto* disk = std::get_if<MakeDisk>(&each.what)) out.push_back(*disk);
  return out;
}

int boot_index(const Plan& plan, const std::string& drive) {
  for (const auto& argument : plan.qemu.arguments) {
    if (argument.words.size() != 2 || argument.words[0] != "-device") continue;
    const auto json = nlohmann::json::parse(argument.words[1]);
    if (json.value("id", "") == "drive-" + drive) return json.value("bootindex", 0);
  }
  return -1;
}

std::string uuid(const Plan& plan) {
  for (const auto& argument : plan.qemu.arguments)
    if (argument.words.size() == 2 && argument.words[0] == "-uuid") return argument.words[1];
  return {};
}

}  // namespace

TEST_CASE("an ephemeral run writes to its own folder, over the disk that is there") {
  auto profile = web();
  SUBCASE("none yet: a fresh one of its own") {
    const auto disks = made(plan(profile, ephemeral()));
    REQUIRE(disks.size() == 1);
    CHECK(disks[0].path == "/data/web-x/root.qcow2");
    CHECK(disks[0].base.empty());
  }
  SUBCASE("the VM's own") {
    const auto disks =
        made(plan(profile, ephemeral(), {{"/data/web/root.qcow2", test::qcow2_file(gib)}}));
    REQUIRE(disks.size() == 1);
    CHECK(disks[0].path == "/data/web-x/root.qcow2");
    CHECK(disks[0].base == "/data/web/root.qcow2");
    CHECK(disks[0].base_format == "qcow2");
  }
  SUBCASE("a file that cannot be written need not be") {
    profile.disks[0].file = "/srv/root.raw";
    profile.disks[0].format = DiskFormat::raw;
    auto file = test::raw_file(gib);
    file.writable = false;
    const auto result = plan(profile, ephemeral(), {{"/srv/root.raw", file}});
    const auto disks = made(result);
    REQUIRE(disks.size() == 1);
    CHECK(disks[0].path == "/data/web-x/root.qcow2");
    CHECK(disks[0].base == "/srv/root.raw");
    CHECK(disks[0].base_format == "raw");
    CHECK(result.disks[0].format == DiskFormat::qcow2);
  }
  SUBCASE("a file that is missing is not made where the profile says") {
    profile.disks[0].file = "/profiles/root.qcow2";
    const auto disks = made(plan(profile, ephemeral()));
    REQUIRE(disks.size() == 1);
    CHECK(disks[0].path == "/data/web-x/root.qcow2");
  }
  SUBCASE("what is read-only stays as it is") {
    profile.disks[0].file = "/srv/root.qcow2";
    profile.disks[0].readonly = true;
    const auto result = plan(profile, ephemeral(), {{"/srv/root.qcow2", test::qcow2_file(gib)}});
    CHECK(made(result).empty());
    CHECK(result.disks[0].path == "/srv/root.qcow2");
  }
}

TEST_CASE("a VM keeps the hardware of the name it had first") {
  PlanInput input;
  input.paths = ephemeral().paths;
  const auto own = plan(web(), input);
  input.identity = "first";
  const auto kept = plan(web(), input);
  CHECK(kept.macs != own.macs);
  CHECK(uuid(kept) != uuid(own));
  auto first = web();
  first.name = "first";
  input.identity.clear();
  const auto before = plan(first, input);
  CHECK(kept.macs == before.macs);
  CHECK(uuid(kept) == uuid(before));
}

TEST_CASE("the CD that is booted once comes before all that the profile boots") {
  auto profile = web();
  Disk own;
  own.name = "cd";
  own.media = DiskMedia::cdrom;
  own.bus = DiskBus::sata;
  own.format = DiskFormat::raw;
  own.readonly = true;
  own.file = "/srv/own.iso";
  profile.disks.push_back(own);
  auto once = own;
  once.name = std::string(installer_disk);
  once.file = "/srv/once.iso";
  profile.disks.push_back(once);
  profile.machine.boot = {BootDevice::cdrom, BootDevice::disk};
  PlanInput input;
  input.paths = ephemeral().paths;
  const auto result =
      plan(profile, input,
           {{"/srv/own.iso", test::raw_file(mib)}, {"/srv/once.iso", test::raw_file(mib)}});
  CHECK(boot_index(result, "cdrom-once") == 1);
  CHECK(boot_index(result, "cd") == 2);
  CHECK(boot_index(result, "root") == 3);
}

TEST_CASE("a guest that waits for its console is started stopped") {
  PlanInput input;
  input.paths = ephemeral().paths;
  const auto stopped = [](const Plan& plan) {
    const auto words = plan.qemu.argv();
    return std::find(words.begin(), words.end(), "-S") != words.end();
  };
  CHECK_FALSE(stopped(plan(web(), input)));
  input.paused = true;
  CHECK(stopped(plan(web(), input)));
}
