// SPDX-License-Identifier: MIT
// What a plan says beside the arguments, and properties that hold for every plan.
#include "core/units.hpp"
#include "facts.hpp"
#include "plan/plan.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

VmPaths paths() {
  return {"/run/q/vm", "/data/vm", "/state/vm", "/cache"};
}

Profile small() {
  Profile profile;
  profile.name = "vm";
  profile.disks.resize(1);
  profile.disks[0].name = "root";
  profile.disks[0].size = gib;
  profile.networks.resize(1);
  profile.networks[0].name = "net0";
  profile.display.type = DisplayType::none;
  return profile;
}

Planned plan(const Profile& profile, const HostFacts& facts = test::usual_facts()) {
  PlanInput input;
  input.paths = paths();
  return make_plan(profile, facts, input);
}

/// The values after every occurrence of an option.
std::vector<std::string> values(const Plan& plan, const std::string& option) {
  std::vector<std::string> out;
  for (const auto& argument : plan.qemu.arguments)
    if (argument.words.size() == 2 && argument.words[0] == option) out.push_back(argument.words[1]);
  return out;
}

nlohmann::json value_with(const Plan& plan, const std::string& option, const std::string& key,
                          const std::string& wanted) {
  for (const auto& text : values(plan, option)) {
    auto json = nlohmann::json::parse(text);
    if (json.value(key, "") == wanted) return json;
  }
  return {};
}

bool has_message(const Planned& planned, const std::string& part) {
  return std::any_of(
      planned.diagnostics.begin(), planned.diagnostics.end(),
      [&](const Diagnostic& one) { return one.message.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("a plan tells what commands ask for later") {
  auto profile = small();
  profile.machine.memory = 3 * gib;
  profile.cpu.count = 3;
  profile.networks[0].forward = {{Protocol::tcp, "127.0.0.1", 2223, 22},
                                 {Protocol::udp, "127.0.0.1", 0, 53}};
  const auto result = plan(profile);
  REQUIRE_FALSE(has_errors(result.diagnostics));
  const auto& made = result.plan;
  CHECK(made.name == "vm");
  CHECK(made.machine_type == "pc-q35-7.2");
  CHECK(made.kvm);
  CHECK(made.cpus == 3);
  CHECK(made.memory == 3 * gib);
  CHECK(made.serial_log == "/state/vm/serial.log");
  CHECK(made.vnc_socket == "/run/q/vm/vnc.sock");
  CHECK(made.macs.size() == 1);
  REQUIRE(made.disks.size() == 1);
  CHECK(made.disks[0].node == "disk-root");
  CHECK(made.disks[0].path == "/data/vm/root.qcow2");
  REQUIRE(made.forwards.size() == 2);
  CHECK(made.forwards[0].network == "net0");
  CHECK(made.forwards[1].forward.host_port == 0);
  CHECK_FALSE(made.nvram);
}

TEST_CASE("descriptors are numbered from 3: qmp, keeper, serial, agent") {
  auto profile = small();
  const auto all = plan(profile).plan;
  REQUIRE(all.qemu.descriptors.size() == 4);
  CHECK(all.descriptor("qmp")->number == 3);
  CHECK(all.descriptor("keeper")->number == 4);
  CHECK(all.descriptor("serial")->number == 5);
  CHECK(all.descriptor("agent")->number == 6);
  CHECK(all.descriptor("serial")->path == "/run/q/vm/serial.sock");
  CHECK(all.descriptor("nothing") == nullptr);
  profile.serial.type = SerialType::none;
  CHECK(plan(profile).plan.descriptor("agent")->number == 5);
}

TEST_CASE("argv is the program and every word") {
  const auto made = plan(small()).plan;
  const auto argv = made.qemu.argv();
  REQUIRE(argv.size() > 3);
  CHECK(argv[0] == "/usr/bin/qemu-system-x86_64");
  CHECK(argv[1] == "-name");
}

TEST_CASE("an existing disk is not made, and a missing one is") {
  auto files = test::usual_files();
  const auto missing = plan(small()).plan;
  const auto& all = missing.preparations;
  CHECK(std::any_of(all.begin(), all.end(), [](const Preparation& one) {
    const auto* disk = std::get_if<MakeDisk>(&one.what);
    return disk != nullptr && disk->path == "/data/vm/root.qcow2" && disk->size == gib;
  }));
  files["/data/vm/root.qcow2"] = test::qcow2_file(gib);
  const auto there = plan(small(), test::usual_facts(files));
  CHECK(there.diagnostics.empty());
  for (const auto& one : there.plan.preparations)
    CHECK_FALSE(std::holds_alternative<MakeDisk>(one.what));
}

TEST_CASE("a block device is driven by host_device") {
  auto files = test::usual_files();
  files["/dev/vg/root"] = {FileFact::Kind::device, true, true, gib, "raw", std::nullopt};
  auto profile = small();
  profile.disks[0].file = "/dev/vg/root";
  profile.disks[0].format = DiskFormat::raw;
  const auto made = plan(profile, test::usual_facts(files)).plan;
  const auto node = value_with(made, "-blockdev", "node-name", "disk-root");
  CHECK(node.at("file").at("driver") == "host_device");
}

TEST_CASE("a hostile path reaches QEMU as one JSON string") {
  auto profile = small();
  const std::string path = "/profiles/a,b\"c'\\\n,file.driver=nbd\t\xc3\xa9.qcow2";
  profile.disks[0].file = path;
  const auto node = value_with(plan(profile).plan, "-blockdev", "node-name", "disk-root");
  CHECK(node.at("file").at("filename") == path);
  CHECK(node.at("file").at("driver") == "file");
}

TEST_CASE("a comma in a value of a comma list is doubled") {
  auto files = test::usual_files();
  files["/x,readonly=off"] = test::folder();
  auto profile = small();
  profile.name = "a,b";
  profile.shares.resize(1);
  profile.shares[0].tag = "t";
  profile.shares[0].path = "/x,readonly=off";
  profile.shares[0].driver = ShareDriver::p9;
  profile.shares[0].readonly = true;
  const auto made = plan(profile, test::usual_facts(files)).plan;
  CHECK(values(made, "-name").at(0) == "guest=a,,b,debug-threads=on");
  CHECK(values(made, "-fsdev").at(0) ==
        "local,id=share-t,path=/x,,readonly=off,security_model=mapped-xattr,readonly=on,"
        "multidevs=remap");
}

TEST_CASE("a zero byte in a value is an error, not the end of a string") {
  auto profile = small();
  profile.qemu.args = {"-fw_cfg", std::string("a\0b", 3)};
  const auto result = plan(profile);
  CHECK(has_errors(result.diagnostics));
  CHECK(has_message(result, "zero byte"));
}

TEST_CASE("a CPU feature with a comma is an error: -cpu has no escape") {
  auto profile = small();
  profile.cpu.features = {"+vmx,enforce"};
  CHECK(has_message(plan(profile), "one name with + or - in front"));
  // What -smp gets has to multiply.
  profile = small();
  profile.cpu.sockets = 2;
  profile.cpu.cores = 2;
  profile.cpu.threads = 1;
  CHECK(values(plan(profile).plan, "-smp").at(0) == "cpus=4,sockets=2,cores=2,threads=1");
}

TEST_CASE("UEFI without Secure Boot takes neither SMM nor enrolled keys where it can") {
  auto profile = small();
  profile.machine.firmware = Firmware::uefi;
  auto facts = test::usual_facts();
  auto made = plan(profile, facts).plan;
  CHECK(value_with(made, "-blockdev", "node-name", "firmware").at("file").at("filename") ==
        "/usr/share/OVMF/OVMF_CODE_4M.fd");
  CHECK(values(made, "-machine").at(0) == "pc-q35-7.2,vmport=off,pflash0=firmware,pflash1=nvram");
  REQUIRE(made.nvram);
  CHECK(made.nvram->path == "/data/vm/nvram.qcow2");
  facts.firmware.pop_back();
  made = plan(profile, facts).plan;
  CHECK(value_with(made, "-blockdev", "node-name", "firmware").at("file").at("filename") ==
        "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd");
  CHECK(values(made, "-machine").at(0) ==
        "pc-q35-7.2,vmport=off,pflash0=firmware,pflash1=nvram,smm=on");
  facts.firmware.pop_back();
  CHECK(has_message(plan(profile, facts), "no UEFI firmware"));
}

TEST_CASE("a descriptor whose files are gone is passed over") {
  auto files = test::usual_files();
  files.erase("/usr/share/OVMF/OVMF_CODE_4M.fd");
  auto profile = small();
  profile.machine.firmware = Firmware::uefi;
  const auto made = plan(profile, test::usual_facts(files)).plan;
  CHECK(value_with(made, "-blockdev", "node-name", "firmware").at("file").at("filename") ==
        "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd");
}

TEST_CASE("a read-only share of the C virtiofsd is bound read-only by the launcher") {
  auto profile = small();
  profile.shares.resize(1);
  profile.shares[0].tag = "store";
  profile.shares[0].path = "/nix/store";
  profile.shares[0].readonly = true;
  auto facts = test::usual_facts();
  CHECK(plan(profile, facts).plan.helpers.at(0).readonly_folder.empty());
  facts.virtiofsd_kind = VirtiofsdKind::c;
  const auto helper = plan(profile, facts).plan.helpers.at(0);
  CHECK(helper.readonly_folder == "/nix/store");
  CHECK(helper.socket_by_descriptor);
  REQUIRE(helper.command.descriptors.size() == 1);
  CHECK(helper.command.descriptors[0].number == 3);
  CHECK(helper.command.descriptors[0].path == helper.socket);
}

TEST_CASE("memory that is shared has exactly the machine's size") {
  auto profile = small();
  profile.machine.memory = 1536 * mib;
  CHECK(values(plan(profile).plan, "-m").at(0) == "1536");
  CHECK(values(plan(profile).plan, "-object").size() == 1);
  profile.shares.resize(1);
  profile.shares[0].tag = "s";
  profile.shares[0].path = "/nix/store";
  const auto made = plan(profile).plan;
  const auto memory = value_with(made, "-object", "id", "memory");
  CHECK(memory.at("size") == 1536 * mib);
  CHECK(memory.at("share") == true);
}

TEST_CASE("a missing image is told once with where it has to be") {
  auto profile = small();
  profile.images.resize(1);
  profile.images[0].name = "i";
  profile.images[0].url = "https://example.org/i.qcow2";
  profile.images[0].sha512 = "ab";
  profile.disks[0].image = "i";
  profile.disks.push_back(profile.disks[0]);
  profile.disks[1].name = "other";
  const auto result = plan(profile);
  CHECK_FALSE(has_errors(result.diagnostics));
  REQUIRE(result.plan.missing_images.size() == 1);
  const auto& missing = result.plan.missing_images[0];
  CHECK(missing.algorithm == "sha512");
  CHECK(missing.digest == "ab");
  CHECK(missing.path == "/cache/images/sha512-ab.qcow2");
  CHECK(result.diagnostics.size() == 1);
}

TEST_CASE("numbers for auto ports are taken in order, over all networks") {
  auto profile = small();
  profile.networks[0].forward = {{Protocol::tcp, "127.0.0.1", 0, 22},
                                 {Protocol::tcp, "127.0.0.1", 80, 80}};
  profile.networks.push_back(profile.networks[0]);
  profile.networks[1].name = "net1";
  profile.networks[1].forward = {{Protocol::tcp, "127.0.0.1", 0, 443}};
  PlanInput input;
  input.paths = paths();
  input.auto_ports = {4001, 4002};
  const auto made = make_plan(profile, test::usual_facts(), input).plan;
  REQUIRE(made.forwards.size() == 3);
  CHECK(made.forwards[0].forward.host_port == 4001);
  CHECK(made.forwards[1].forward.host_port == 80);
  CHECK(made.forwards[2].forward.host_port == 4002);
}

TEST_CASE("nothing is known of the host: findings, no crash") {
  const auto result = make_plan(small(), HostFacts{}, PlanInput{});
  CHECK(result.plan.machine_type == "q35");
  CHECK_FALSE(result.plan.kvm);
}

TEST_CASE("a credential goes by file, in plain text or as base64") {
  auto profile = small();
  profile.guest.credentials = {{"plain", "a b,c"}, {"odd", "x\ny"}};
  const auto made = plan(profile).plan;
  std::vector<std::string> contents;
  for (const auto& one : made.preparations)
    if (const auto* file = std::get_if<WriteFile>(&one.what)) contents.push_back(file->content);
  REQUIRE(contents.size() == 2);
  CHECK(contents[0] == "io.systemd.credential.binary:odd=eAp5");
  CHECK(contents[1] == "io.systemd.credential:plain=a b,c");
  for (const auto& word : made.qemu.argv()) CHECK(word.find("a b,c") == std::string::npos);
}
