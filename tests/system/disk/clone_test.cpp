// SPDX-License-Identifier: MIT
// A VM cloned, stopped and running: what the clone has, that neither writes into the other, and
// what stays when one of them goes.
#include "disk/parts.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using test::contains;
using test::Home;
namespace fs = std::filesystem;

namespace {

std::string disk(const Home& home, const std::string& vm) {
  return parts::data(home, vm, "data.qcow2");
}

std::size_t bases(const Home& home) {
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(home.path() + "/data/.bases", ignored)) {
    if (entry.path().extension() == ".qcow2") ++count;
  }
  return count;
}

json way_of(const json& cloned, const std::string& name) {
  for (const auto& each : cloned.at("disks")) {
    if (each.at("disk") == name) return each.at("way");
  }
  return {};
}

std::string uuid_of(const Home& home, const std::string& vm) {
  return json::parse(parts::ok(home, {"qmp", vm, "query-uuid"})).at("UUID");
}

std::string mac_of(const Home& home, const std::string& vm) {
  return json::parse(parts::ok(
      home,
      {"qmp", vm, "qom-get", R"({"path": "/machine/peripheral/nic-net0", "property": "mac"})"}));
}

}  // namespace

TEST_CASE("a disk that is a link to elsewhere is copied, and stays where it is") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  parts::write(home, disk(home, "web"), 1, 0);
  fs::rename(disk(home, "web"), parts::data(home, "web", "big.img"));
  fs::create_symlink("big.img", disk(home, "web"));
  const auto cloned = json::parse(parts::ok(home, {"clone", "web", "test", "--json"}));
  CHECK(way_of(cloned, "data") == "copied");
  CHECK(fs::is_symlink(disk(home, "web")));
  CHECK(parts::has(home, disk(home, "web"), 1, 0));
  CHECK(parts::has(home, disk(home, "test"), 1, 0));
}

TEST_CASE("a disk that grows while it is cloned keeps what it was given") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  SUBCASE("while its VM runs") {}
  SUBCASE("of a stopped VM") {
    parts::ok(home, {"kill", "web"});
  }
  const auto code = parts::meanwhile_at(home, "clone-staged", {"clone", "web", "test"}, [&] {
    parts::ok(home, {"disk", "resize", "web:data", "16MiB"});
  });
  CHECK(code == 0);
  for (const std::string vm : {"web", "test"})
    CHECK(parts::info(home, vm + ":data").at("virtual_size") == 16 << 20);
}

TEST_CASE("a VM does not start on a disk that another VM's overlay lies on") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  home.write("top.toml", "[[disk]]\nname = \"root\"\nbase = \"" + disk(home, "web") +
                             "\"\n[[network]]\nmode = \"none\"\n");
  parts::ok(home, {"up", "top.toml", "--no-wait"});
  parts::ok(home, {"kill", "top"});
  const auto refused = home.run({"up", "web"});
  CHECK(refused.code == 3);
  CHECK(contains(refused.err, "disk `data` of VM `web` is the base of VM `top`"));
  CHECK(contains(refused.err, "qlaunch clone"));
  // The mark goes with the reason for it.
  parts::ok(home, {"remove", "top", "--yes"});
  parts::ok(home, {"up", "web"});
  CHECK_FALSE(fs::exists(home.path() + "/data/web/base-of-others"));
  parts::ok(home, {"kill", "web"});
}

TEST_CASE("a clone of a stopped VM: same content, other hardware, and each its own from then on") {
  Home home;
  home.write("web.toml",
             parts::profile("[[disk]]\nname = \"mine\"\nfile = \"mine.qcow2\"\n"
                            "size = \"1 MiB\"\n[[network]]\nforward = [\"auto:22\"]\n"));
  parts::ok(home, {"up", "web.toml"});
  const auto uuid = uuid_of(home, "web");
  const auto mac = mac_of(home, "web");
  parts::ok(home, {"kill", "web"});
  parts::write(home, disk(home, "web"), 1, 0);
  parts::write(home, home.file("mine.qcow2"), 2, 0);
  const auto before = fs::file_size(home.file("mine.qcow2"));

  const auto cloned = json::parse(parts::ok(home, {"clone", "web.toml", "test", "--json"}));
  CHECK(way_of(cloned, "data") == "linked");
  CHECK(way_of(cloned, "root") == "copied");  // it lay on a file in its own folder
  CHECK(way_of(cloned, "mine") == "copied");
  CHECK(parts::has(home, disk(home, "web"), 1, 0));
  CHECK(parts::has(home, disk(home, "test"), 1, 0));
  CHECK(parts::has(home, parts::data(home, "test", "mine.qcow2"), 2, 0));
  // The user's file is what it was, where it was.
  CHECK(fs::file_size(home.file("mine.qcow2")) == before);
  CHECK(parts::info(home, "web:mine").at("chain").empty());

  parts::write(home, disk(home, "web"), 3, 64);
  parts::write(home, disk(home, "test"), 4, 64);
  CHECK(parts::has(home, disk(home, "web"), 3, 64));
  CHECK(parts::has(home, disk(home, "test"), 4, 64));

  SUBCASE("both run, and the clone is another machine") {
    parts::ok(home, {"up", "web", "test"});
    CHECK(uuid_of(home, "web") == uuid);
    CHECK(mac_of(home, "web") == mac);
    CHECK(uuid_of(home, "test") != uuid);
    CHECK(mac_of(home, "test") != mac);
    CHECK(parts::info(home, "test:mine").at("file") == parts::data(home, "test", "mine.qcow2"));
    parts::ok(home, {"kill", "web", "test"});
    CHECK(home.run({"clone", "web", "test"}).code == 3);
    CHECK(home.run({"clone", "web", "web"}).code == 2);
    CHECK(home.run({"clone", "web", "-x"}).code == 2);
    CHECK(home.run({"clone", "nobody", "x"}).code == 3);
    // By another name it is still found, and its profile comes along.
    parts::ok(home, {"rename", "test", "other"});
    parts::ok(home, {"up", "other"});
    CHECK(parts::info(home, "other:mine").at("file") == parts::data(home, "other", "mine.qcow2"));
    parts::ok(home, {"kill", "other"});
    CHECK(parts::has(home, disk(home, "other"), 4, 64));
  }
  SUBCASE("the base belongs to neither and goes with the last") {
    // A clone of the clone; its parents go.
    parts::ok(home, {"clone", "test", "third"});
    parts::ok(home, {"remove", "web", "--yes"});
    parts::ok(home, {"remove", "test", "--yes"});
    CHECK(parts::has(home, disk(home, "third"), 1, 0));
    CHECK(parts::has(home, disk(home, "third"), 4, 64));
    // Of `data` that of web and that of test; of `root` and `mine`, which were test's own files
    // when it was cloned, one each.
    CHECK(bases(home) == 4);
    fs::remove(home.file("web.toml"));
    home.write("web.toml", parts::profile());
    parts::ok(home, {"up", "third"});
    parts::ok(home, {"kill", "third"});
    CHECK(parts::damage(home, disk(home, "third")).empty());
    parts::ok(home, {"remove", "third", "--yes"});
    CHECK(bases(home) == 0);
    CHECK(fs::exists(home.file("mine.qcow2")));
  }
  SUBCASE("an overlay with nothing in it is not frozen again") {
    parts::ok(home, {"clone", "web", "one"});
    CHECK(way_of(json::parse(parts::ok(home, {"clone", "one", "two", "--json"})), "data") ==
          "shared");
    const auto chain = parts::info(home, "one:data").at("chain");
    CHECK(chain.size() == 2);  // frozen for test, and for one
    CHECK(parts::info(home, "two:data").at("chain") == chain);
  }
  SUBCASE("with --copy the two share no file") {
    parts::ok(home, {"clone", "web", "whole", "--copy"});
    CHECK(parts::info(home, "whole:data").at("chain").empty());
    CHECK(parts::has(home, disk(home, "whole"), 1, 0));
    CHECK(parts::has(home, disk(home, "whole"), 3, 64));
  }
}

TEST_CASE("a clone of a running VM has what its disks had, and the guest goes on") {
  Home home;
  home.write("web.toml", parts::profile("[[disk]]\nname = \"plain\"\nsize = \"1 MiB\"\n"
                                        "format = \"raw\"\n"));
  parts::ok(home, {"up", "web.toml"});
  parts::write_running(home, "web", "data", 1, 0);
  parts::write_running(home, "web", "plain", 6, 0);
  const auto cloned = json::parse(parts::ok(home, {"clone", "web", "test", "--json"}));
  CHECK(way_of(cloned, "data") == "linked");
  CHECK(way_of(cloned, "plain") == "copied");
  parts::write_running(home, "web", "data", 2, 64);
  parts::write_running(home, "web", "plain", 7, 0);
  CHECK(parts::has(home, disk(home, "test"), 1, 0));
  CHECK(parts::has(home, disk(home, "test"), 0, 64));
  const auto raw = parts::tool(home, {"qemu-io", "-r", "-f", "raw", "-c", "read -P 6 0 64k",
                                      parts::data(home, "test", "plain.raw")});
  CHECK_FALSE(contains(raw, "verification failed"));

  // The disk that is written now is the one that commands speak of.
  parts::ok(home, {"disk", "resize", "web:data", "16MiB"});
  parts::ok(home, {"clone", "web", "second"});
  parts::write_running(home, "web", "data", 3, 128);
  parts::ok(home, {"clone", "web", "last"});
  // Through three bases: each of them has to be the very file.
  for (const int place : {0, 1, 2})
    CHECK(parts::has_running(home, "web", "data", place + 1, place * 64));
  CHECK(parts::has_running(home, "web", "data", 0, 192));
  parts::ok(home, {"up", "test"});
  parts::write_running(home, "test", "data", 4, 64);
  const auto status = json::parse(parts::ok(home, {"status", "web", "--json"}));
  CHECK(status.at("state") == "running");
  const auto jobs = json::parse(parts::ok(home, {"qmp", "web", "query-jobs"}));
  CHECK(jobs.empty());
  parts::ok(home, {"kill", "web", "test"});

  CHECK(parts::info(home, "second:data").at("virtual_size") == 16 << 20);
  CHECK(parts::has(home, disk(home, "second"), 2, 64));
  CHECK(parts::has(home, disk(home, "second"), 0, 128));
  CHECK(parts::has(home, disk(home, "test"), 4, 64));
  for (const int place : {0, 1, 2})
    CHECK(parts::has(home, disk(home, "web"), place + 1, place * 64));
  parts::ok(home, {"up", "web"});
  parts::write_running(home, "web", "data", 5, 192);
  parts::ok(home, {"kill", "web"});
  CHECK(parts::has(home, disk(home, "web"), 5, 192));
  CHECK(parts::has(home, disk(home, "web"), 1, 0));
  for (const auto* vm : {"web", "test", "second", "last"})
    CHECK(parts::damage(home, disk(home, vm)).empty());
}

TEST_CASE("a disk with snapshots keeps them, and the clone has none") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  parts::write(home, disk(home, "web"), 1, 0);
  parts::tool(home, {"qemu-img", "snapshot", "-c", "first", disk(home, "web")});
  parts::write(home, disk(home, "web"), 2, 0);
  const auto made = home.run({"clone", "web", "test"});
  REQUIRE(made.code == 0);
  CHECK(contains(made.err, "it has snapshots"));
  CHECK(parts::info(home, "test:data").at("snapshots").empty());
  CHECK(parts::has(home, disk(home, "test"), 2, 0));
  const auto parent = parts::info(home, "web:data");
  CHECK(parent.at("snapshots").size() == 1);
  CHECK(parent.at("chain").empty());
  parts::tool(home, {"qemu-img", "snapshot", "-a", "first", disk(home, "web")});
  CHECK(parts::has(home, disk(home, "web"), 1, 0));
  CHECK(parts::damage(home, disk(home, "test")).empty());
  // The same while it runs.
  parts::ok(home, {"up", "web"});
  parts::ok(home, {"clone", "web", "live"});
  parts::ok(home, {"kill", "web"});
  CHECK(parts::info(home, "live:data").at("snapshots").empty());
  CHECK(parts::has(home, disk(home, "live"), 1, 0));
  CHECK(parts::info(home, "web:data").at("snapshots").size() == 1);
}

TEST_CASE("a disk that another program has is not cloned, nor is one frozen under it") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  const auto other = qlaunch::spawn(
      home.program({"qemu-io", "-f", "qcow2", "-c", "sleep 600000", disk(home, "web")}));
  const auto user = "qemu-io (pid " + std::to_string(other.id.pid) + ")";
  CHECK(test::eventually([&] {
    return contains(home.run({"disk", "info", "web:data"}).out, user);
  }));
  const auto held = home.run({"clone", "web", "test"});
  CHECK(held.code == 3);
  CHECK_MESSAGE(contains(held.err, "in use by"), held.err);
  qlaunch::kill_and_reap(other);
  CHECK(bases(home) == 0);
  CHECK_FALSE(fs::exists(home.path() + "/data/test"));
  CHECK(parts::info(home, "web:data").at("chain").empty());
}

TEST_CASE("two clones of one VM at once") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::write_running(home, "web", "data", 1, 0);
  std::vector<qlaunch::Child> commands;
  for (const auto* name : {"one", "two", "three"})
    commands.push_back(home.start({"clone", "web", name}));
  for (const auto& command : commands) {
    const auto status =
        qlaunch::reap(command, std::chrono::steady_clock::now() + std::chrono::minutes(2));
    CHECK(status == 0);
  }
  parts::write_running(home, "web", "data", 2, 64);
  parts::ok(home, {"kill", "web"});
  for (const auto* name : {"one", "two", "three"}) {
    CHECK(parts::has(home, disk(home, name), 1, 0));
    CHECK(parts::has(home, disk(home, name), 0, 64));
    CHECK(parts::damage(home, disk(home, name)).empty());
  }
  CHECK(parts::has(home, disk(home, "web"), 1, 0));
  CHECK(parts::has(home, disk(home, "web"), 2, 64));
}

TEST_CASE("snapshots of a VM that was cloned while it ran: the same before and after it ended") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::write_running(home, "web", "data", 1, 0);
  parts::ok(home, {"clone", "web", "test"});
  parts::ok(home, {"snapshot", "create", "web", "one"});
  parts::ok(home, {"snapshot", "create", "web", "two"});
  parts::write_running(home, "web", "data", 2, 0);
  const auto complete = [&] {
    const auto all = json::parse(parts::ok(home, {"snapshot", "list", "web", "--json"}));
    int count = 0;
    for (const auto& each : all) {
      if (each.at("health") == "whole") ++count;
    }
    return count;
  };
  CHECK(complete() == 2);
  parts::ok(home, {"snapshot", "delete", "web", "two"});
  parts::ok(home, {"snapshot", "revert", "web", "one", "--discard"});
  CHECK(parts::has_running(home, "web", "data", 1, 0));
  parts::ok(home, {"kill", "web"});
  CHECK(complete() == 1);
  parts::ok(home, {"up", "web"});
  parts::write_running(home, "web", "data", 3, 0);
  parts::ok(home, {"snapshot", "revert", "web", "one", "--discard"});
  CHECK(parts::has_running(home, "web", "data", 1, 0));
  parts::ok(home, {"snapshot", "delete", "web", "one"});
  CHECK(complete() == 0);
  parts::ok(home, {"kill", "web"});
  CHECK(parts::has(home, disk(home, "test"), 1, 0));
  for (const auto* vm : {"web", "test"}) CHECK(parts::damage(home, disk(home, vm)).empty());
}

TEST_CASE("a suspended VM keeps the disks that its guest knows, cloned while it ran or not") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::write_running(home, "web", "data", 1, 0);
  parts::ok(home, {"clone", "web", "test"});
  parts::write_running(home, "web", "data", 2, 64);
  parts::ok(home, {"suspend", "web"});
  CHECK(home.run({"clone", "web", "other"}).code == 3);
  CHECK(home.run({"disk", "resize", "web:data", "1GiB"}).code == 3);
  CHECK(home.run({"disk", "check", "web"}).code == 0);
  CHECK_FALSE(fs::exists(home.path() + "/data/other"));
  parts::ok(home, {"up", "web"});
  CHECK(contains(home.run({"events", "web"}).out, "suspend"));
  CHECK(parts::has_running(home, "web", "data", 1, 0));
  CHECK(parts::has_running(home, "web", "data", 2, 64));
  parts::ok(home, {"kill", "web"});
  parts::ok(home, {"remove", "web", "test", "--yes"});
  CHECK(bases(home) == 0);
}

TEST_CASE("a clone of a snapshot has its disks as they were then") {
  Home home;
  // Its `memory` line is in [machine].
  auto profile = parts::profile();
  profile.insert(profile.find("memory"), "firmware = \"uefi\"\n");
  home.write("web.toml", profile);
  bool runs = true;
  SUBCASE("of a VM that runs") {}
  SUBCASE("of a stopped VM") {
    runs = false;
  }
  parts::ok(home, {"up", "web.toml", "--no-wait"});
  parts::write_running(home, "web", "data", 1, 0);
  parts::ok(home, {"snapshot", "create", "web", "one"});
  parts::write_running(home, "web", "data", 2, 0);
  parts::write_running(home, "web", "data", 3, 128);
  if (!runs) parts::ok(home, {"kill", "web"});
  const auto said =
      json::parse(parts::ok(home, {"clone", "web", "test", "--from", "one", "--json"}));
  CHECK(way_of(said, "data") == "copied");
  CHECK(parts::has(home, disk(home, "test"), 1, 0));
  CHECK(parts::has(home, disk(home, "test"), 0, 128));
  CHECK(parts::info(home, "test:data").at("snapshots").empty());
  CHECK(parts::damage(home, disk(home, "test")).empty());
  CHECK(parts::damage(home, parts::data(home, "test", "nvram.qcow2")).empty());
  parts::ok(home, {"up", "test", "--no-wait"});
  CHECK(parts::has_running(home, "test", "data", 1, 0));
  // Nothing has happened to the other.
  if (!runs) parts::ok(home, {"up", "web", "--no-wait"});
  CHECK(parts::has_running(home, "web", "data", 2, 0));
  parts::ok(home, {"snapshot", "revert", "web", "one", "--discard"});
  CHECK(parts::has_running(home, "web", "data", 1, 0));
  const auto none = home.run({"clone", "web", "other", "--from", "on"});
  CHECK(none.code == 3);
  CHECK(contains(none.err, "has no snapshot `on`"));
  CHECK(contains(none.err, "did you mean `one`?"));
  CHECK_FALSE(fs::exists(home.path() + "/data/other"));
}
