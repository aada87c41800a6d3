// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "host/files.hpp"
#include "plan/plan_json.hpp"
#include "vm/make.hpp"
#include "vm/record.hpp"
#include "vm/wait.hpp"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <stdlib.h>

using namespace qlaunch;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  Scratch() {
    char name[] = "/tmp/qlaunch-unit.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
    setenv("QLAUNCH_HOME", name, 1);
  }
  ~Scratch() {
    unsetenv("QLAUNCH_HOME");
    fs::remove_all(path);
  }
  std::string path;
};

Record record() {
  Record record;
  record.name = "web";
  record.profile = "/home/u/web.toml";
  record.sources = {{"/home/u/web.toml", "name = \"web\" # \"quoted\", \n"}};
  record.settings = {"machine.memory=1GiB"};
  record.machine_asked = "q35";
  record.machine_type = "pc-q35-7.2";
  record.auto_ports = {{"net0/tcp/22", 40022}};
  record.created = "2026-01-31T12:00:00.000Z";
  Plan plan;
  plan.name = "web";
  plan.machine_type = "pc-q35-7.2";
  record.plan = plan_to_json(plan);
  return record;
}

}  // namespace

TEST_CASE("what can be waited for is read, and anything else is an error") {
  CHECK(parse_wait_for("ready").ready);
  CHECK(parse_wait_for("stopped").stopped);
  CHECK(parse_wait_for("ssh").when.kind == ReadyWhen::Kind::ssh);
  CHECK(parse_wait_for("serial:login: ").when.text == "login: ");
  CHECK(parse_wait_for("port:80").when.port == 80);
  for (const auto* wrong : {"", "serial:", "port:", "port:0", "port:65536", "port:x", "Ready"})
    CHECK_THROWS_AS(parse_wait_for(wrong), ValueError);
}

TEST_CASE("a record comes back as it was written") {
  const Scratch scratch;
  CHECK_FALSE(read_record("web").has_value());
  fs::create_directories(scratch.path + "/data/web");
  write_record(record());
  const auto back = read_record("web");
  REQUIRE(back.has_value());
  CHECK(back->profile == "/home/u/web.toml");
  CHECK(back->sources[0].content == record().sources[0].content);
  CHECK(back->settings == record().settings);
  CHECK(back->machine_type == "pc-q35-7.2");
  CHECK(back->auto_ports.at("net0/tcp/22") == 40022);
  CHECK(recorded_plan(*back).machine_type == "pc-q35-7.2");
  auto foreign = *back;
  foreign.plan = "{\"version\": 999}";
  CHECK(recorded_plan(foreign).name == "web");

  write_end("web", {"2026-01-31T12:00:00.000Z", "signal", "killed"});
  CHECK(read_end("web")->text == "killed");
}

TEST_CASE("a damaged record is an error that names its file, a damaged end is none") {
  const Scratch scratch;
  fs::create_directories(scratch.path + "/data/web");
  std::ofstream(scratch.path + "/data/web/vm.json") << "{\"name\": 1}";
  try {
    read_record("web");
    FAIL("it was read");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).starts_with("the record of VM `web` is damaged"));
    CHECK(error.diagnostics()[0].help[0].find(scratch.path + "/data/web/vm.json") !=
          std::string::npos);
  }
  std::ofstream(scratch.path + "/data/web/end.json") << "[1";
  CHECK_FALSE(read_end("web").has_value());
}

TEST_CASE("an undo removes what it was told of unless it is kept") {
  const Scratch scratch;
  const auto folder = scratch.path + "/a/b";
  {
    Undo undo;
    make_folder(folder, undo);
    std::ofstream(folder + "/file") << "x";
  }
  CHECK_FALSE(fs::exists(folder));
  {
    Undo undo;
    make_folder(folder, undo);
    undo.keep();
  }
  CHECK(fs::exists(folder));
  {
    // It was there before: a launch that fails must not take it away.
    Undo undo;
    make_folder(folder, undo);
  }
  CHECK(fs::exists(folder));
}

TEST_CASE("a disk that exists is left alone, and a failure leaves no part of one") {
  const Scratch scratch;
  HostFacts facts;
  facts.qemu_img = "/usr/bin/qemu-img";
  const auto disk = scratch.path + "/root.qcow2";
  std::ofstream(disk) << "precious";
  {
    Undo undo;
    make({MakeDisk{disk, DiskFormat::qcow2, 1 << 20, "", "", false}, {}}, facts, undo);
  }
  CHECK(read_file(disk) == "precious");

  Undo undo;
  const MakeDisk broken{scratch.path + "/sub/new.qcow2", DiskFormat::qcow2, std::nullopt,
                        scratch.path + "/no-such-base",  "qcow2",           false};
  CHECK_THROWS_AS(make({broken, {}}, facts, undo), Error);
  CHECK(fs::is_empty(scratch.path + "/sub"));
}
