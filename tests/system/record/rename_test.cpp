// SPDX-License-Identifier: MIT
// A VM under another name: what moves with it, what stays the same, and who is refused.
#include "hello.hpp"
#include "host/files.hpp"
#include "image/backing.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using test::contains;
using test::Home;
using test::networked_hello;
namespace fs = std::filesystem;

namespace {

json status(const Home& home, const std::string& vm) {
  const auto result = home.run({"status", vm, "--json"});
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return json::parse(result.out);
}

std::string image_check(const Home& home, const std::string& path) {
  const auto check = qlaunch::run_and_capture(home.program({"qemu-img", "check", "-q", path}),
                                              std::chrono::minutes(1), 1 << 20);
  return check.ok() ? "" : check.out + check.err;
}

/// Names of VMs, one a line.
std::string names(const Home& home) {
  return home.run({"list", "-q"}).out;
}

}  // namespace

TEST_CASE("a renamed VM keeps its disks, ports, logs and hardware, and its profile finds it") {
  Home home;
  home.write("web.toml", networked_hello);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  const auto before = status(home, "web");
  const auto uuid = [&](const std::string& vm) {
    for (const auto& process : home.processes()) {
      const auto at = process.find("-uuid ");
      if (at != std::string::npos && contains(process, "guest=" + vm))
        return process.substr(at, 42);
    }
    return std::string();
  };
  const auto old_uuid = uuid("web");
  REQUIRE_FALSE(old_uuid.empty());

  const auto running = home.run({"rename", "web", "site"});
  CHECK(running.code == 3);
  CHECK(contains(running.err, "shutdown web"));
  CHECK(names(home) == "web\n");
  CHECK_FALSE(fs::exists(home.path() + "/data/site"));
  REQUIRE(home.run({"shutdown", "web"}).code == 0);

  const auto renamed = home.run({"rename", "web.toml", "site"});
  REQUIRE_MESSAGE(renamed.code == 0, renamed.err);
  CHECK(names(home) == "site\n");
  CHECK_FALSE(fs::exists(home.path() + "/data/web"));
  CHECK_FALSE(fs::exists(home.path() + "/state/web"));
  const auto stopped = status(home, "site");
  CHECK(stopped["disks"][0]["path"] == home.path() + "/data/site/root.qcow2");
  CHECK(image_check(home, home.path() + "/data/site/root.qcow2").empty());
  CHECK(contains(home.run({"log", "site", "events"}).out, "RENAMED"));
  CHECK(contains(home.run({"log", "site", "serial"}).out, "hello from qlaunch"));
  CHECK(home.run({"status", "web"}).code == 3);
  CHECK(contains(home.run({"status", "web.toml"}).out, "site"));

  // Its profile still says `web`, by the file's name: that is this VM all the same.
  const auto up = home.run({"up", "web.toml"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  CHECK(names(home) == "site\n");
  const auto after = status(home, "site");
  CHECK(after["macs"] == before["macs"]);
  CHECK(after["ssh_port"] == before["ssh_port"]);
  CHECK(after["needs_restart"] == false);
  CHECK(uuid("site") == old_uuid);
  CHECK(contains(home.run({"up", "site"}).out, "site already runs"));
  REQUIRE(home.run({"kill", "site"}).code == 0);

  // The name is free for another, which is another machine.
  home.write("other/web.toml", networked_hello);
  REQUIRE(home.run({"up", "other/web.toml"}).code == 0);
  CHECK(names(home) == "site\nweb\n");
  CHECK(status(home, "web")["macs"] != before["macs"]);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  CHECK(names(home) == "site\nweb\n");
}

TEST_CASE("who cannot be renamed, and into what") {
  Home home;
  home.write("one.toml", networked_hello);
  home.write("two.toml", networked_hello);
  for (const auto* vm : {"one", "two"}) {
    REQUIRE(home.run({"up", std::string(vm) + ".toml"}).code == 0);
    REQUIRE(home.run({"kill", vm}).code == 0);
  }
  CHECK(home.run({"rename", "nobody", "new"}).code == 3);
  const auto taken = home.run({"rename", "one", "two"});
  CHECK(taken.code == 3);
  CHECK(contains(taken.err, "taken"));
  CHECK(home.run({"rename", "one", "one"}).code == 2);
  CHECK(home.run({"rename", "one", "../one"}).code == 2);
  CHECK(home.run({"rename", "one", ""}).code == 2);
  CHECK(names(home) == "one\ntwo\n");

  SUBCASE("a profile that names files in the folder itself") {
    home.write("one.toml", "[[disk]]\nfile = \"" + home.path() + "/data/one/root.qcow2\"\n");
    const auto named = home.run({"rename", "one", "new"});
    CHECK(named.code == 2);
    CHECK(contains(named.err, "one.toml:2"));
    CHECK(names(home) == "one\ntwo\n");
    CHECK_FALSE(fs::exists(home.path() + "/data/new"));
  }
  SUBCASE("what cannot be moved stays as it was") {
    const auto before = qlaunch::read_file(home.path() + "/data/one/vm.json");
    const auto base = qlaunch::backing_of(home.path() + "/data/one/root.qcow2")->file;
    fs::permissions(home.path() + "/state", fs::perms::owner_read | fs::perms::owner_exec);
    const auto failed = home.run({"rename", "one", "new"});
    fs::permissions(home.path() + "/state", fs::perms::owner_all);
    CHECK(failed.code == 1);
    CHECK(names(home) == "one\ntwo\n");
    CHECK_FALSE(fs::exists(home.path() + "/data/new"));
    CHECK(qlaunch::read_file(home.path() + "/data/one/vm.json") == before);
    CHECK(qlaunch::backing_of(home.path() + "/data/one/root.qcow2")->file == base);
    CHECK(home.run({"up", "one"}).code == 0);
  }
}

TEST_CASE("overlays of other VMs on its disks follow it") {
  Home home;
  home.write("base.toml", networked_hello);
  REQUIRE(home.run({"up", "base.toml"}).code == 0);
  REQUIRE(home.run({"shutdown", "base"}).code == 0);
  home.write("top.toml", "[[disk]]\nbase = \"" + home.path() +
                             "/data/base/root.qcow2\"\n[ready]\nwhen = \"serial:hello from "
                             "qlaunch\"\n");
  REQUIRE(home.run({"up", "top.toml"}).code == 0);
  const auto while_running = home.run({"rename", "base", "ground"});
  CHECK(while_running.code == 3);
  CHECK(contains(while_running.err, "top"));
  REQUIRE(home.run({"kill", "top"}).code == 0);
  REQUIRE(home.run({"rename", "base", "ground"}).code == 0);
  const auto backing = qlaunch::backing_of(home.path() + "/data/top/root.qcow2");
  REQUIRE(backing);
  CHECK(backing->file == home.path() + "/data/ground/root.qcow2");
  CHECK(backing->format == "qcow2");
  CHECK(image_check(home, home.path() + "/data/top/root.qcow2").empty());
}

TEST_CASE("a start that waits for a rename starts the VM under its new name") {
  Home home;
  home.write("web.toml", networked_hello);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  REQUIRE(home.run({"kill", "web"}).code == 0);
  for (int round = 0; round < 5; ++round) {
    const std::string from = round % 2 == 0 ? "web" : "site";
    const std::string to = round % 2 == 0 ? "site" : "web";
    const auto renaming = home.start({"rename", from, to});
    const auto starting = home.start({"up", "web.toml"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    const auto renamed = qlaunch::reap(renaming, deadline);
    REQUIRE(renamed);
    CHECK(qlaunch::reap(starting, deadline) == 0);
    // Whoever came first: one VM, one QEMU, one name.
    int machines = 0;
    for (const auto& process : home.processes()) machines += contains(process, "-machine") ? 1 : 0;
    CHECK(machines == 1);
    const auto now = *renamed == 0 ? to : from;
    CHECK(names(home) == now + '\n');
    REQUIRE(home.run({"kill", now}).code == 0);
    if (*renamed != 0) REQUIRE(home.run({"rename", from, to}).code == 0);
  }
}

TEST_CASE("a rename that is killed leaves one VM that starts") {
  Home home;
  home.write("web.toml", networked_hello);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  REQUIRE(home.run({"kill", "web"}).code == 0);
  std::string name = "web";
  for (int delay = 2; delay <= 30; delay += 4) {
    const std::string to = name == "web" ? "site" : "web";
    const auto renaming = home.start({"rename", name, to});
    // Anywhere from before its first step to after its last.
    qlaunch::wait_exit(renaming.pidfd.get(),
                       std::chrono::steady_clock::now() + std::chrono::milliseconds(delay));
    qlaunch::kill_and_reap(renaming);
    const auto left = names(home);
    CHECK_MESSAGE((left == "web\n" || left == "site\n"), left);
    name = left.substr(0, left.size() - 1);
    const auto up = home.run({"up", "web.toml"});
    CHECK_MESSAGE(up.code == 0, up.err);
    CHECK(names(home) == left);
    REQUIRE(home.run({"kill", name}).code == 0);
  }
}
