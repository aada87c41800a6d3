// SPDX-License-Identifier: MIT
// Disk files made, looked at, grown and checked, and who is refused.
#include "disk/parts.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using test::contains;
using test::Home;
namespace fs = std::filesystem;

TEST_CASE("a disk is made once, and never over a file") {
  const Home home;
  const auto made = home.run({"disk", "create", "a.qcow2", "1GiB"});
  CHECK(made.code == 0);
  CHECK(made.out == home.file("a.qcow2") + ": qcow2, 1 GiB\n");
  parts::write(home, home.file("a.qcow2"), 7, 0);
  const auto again = home.run({"disk", "create", "a.qcow2", "2GiB"});
  CHECK(again.code == 1);
  CHECK(contains(again.err, "exists already"));
  CHECK(parts::has(home, home.file("a.qcow2"), 7, 0));

  CHECK(home.run({"disk", "create", "b.qcow2", "--base", "a.qcow2"}).code == 0);
  const auto overlay = parts::info(home, "./b.qcow2");
  CHECK(overlay.at("virtual_size") == 1 << 30);
  CHECK(overlay.at("chain").at(0).at("file") == home.file("a.qcow2"));
  CHECK(parts::has(home, home.file("b.qcow2"), 7, 0));

  CHECK(home.run({"disk", "create", "c.qcow2", "1MiB", "--base", "a.qcow2"}).code == 2);
  CHECK(
      home.run({"disk", "create", "c.raw", "1MiB", "--base", "a.qcow2", "--format", "raw"}).code ==
      2);
  CHECK(home.run({"disk", "create", "c.qcow2"}).code == 2);
  CHECK(home.run({"disk", "create", "c.qcow2", "1000"}).code == 2);
  CHECK(home.run({"disk", "create", "c.qcow2", "1MiB", "--format", "vmdk"}).code == 2);
  CHECK(home.run({"disk", "create", "no/where/c.qcow2", "1MiB"}).code == 1);
  CHECK(home.run({"disk", "create", "c.qcow2", "1MiB", "--repair"}).code == 2);
  for (const auto& entry : fs::directory_iterator(home.file("")))
    CHECK(entry.path().filename().string().find('c') != 0);

  // What lies below is gone: the disk itself can be looked at all the same.
  fs::remove(home.file("a.qcow2"));
  const auto broken = parts::info(home, "./b.qcow2");
  CHECK(contains(broken.at("problem"), home.file("a.qcow2")));
  CHECK(broken.at("virtual_size") == 1 << 30);
  CHECK(home.run({"disk", "info", "./a.qcow2"}).code == 1);
}

TEST_CASE("a VM's disks by their names: who has them, growing them, and what is refused") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});

  const auto all = json::parse(parts::ok(home, {"disk", "info", "web", "--json"}));
  REQUIRE(all.size() == 2);
  CHECK(all[0].at("name") == "web:root");
  CHECK(all[0].at("users").at(0).at("vm") == "web");
  CHECK(all[0].at("users").at(0).at("writes") == true);
  CHECK(all[0].at("chain").at(0).at("file") == parts::data(home, "web", "hello.img"));
  CHECK(all[1].at("name") == "web:data");
  // The base is read, and known to be needed.
  const auto base = parts::info(home, parts::data(home, "web", "hello.img"));
  CHECK(base.at("users").at(0).at("writes") == false);
  CHECK(base.at("needed_by").at(0).at("overlay") == parts::data(home, "web", "root.qcow2"));

  SUBCASE("while it runs") {
    CHECK(home.run({"disk", "resize", "web", "20MiB"}).code == 2);  // which one?
    const auto typo = home.run({"disk", "resize", "web:dat", "20MiB"});
    CHECK(typo.code == 3);
    CHECK(contains(typo.err, "did you mean `web:data`?"));
    const auto grown = home.run({"disk", "resize", "web:data", "+8MiB"});
    CHECK(grown.code == 0);
    CHECK(grown.out == "web:data has 16 MiB now (8 MiB before)\n");
    CHECK(contains(grown.err, "in the guest"));
    // The guest's device has it, not only the file.
    const auto blocks = json::parse(parts::ok(home, {"qmp", "web", "query-block"}));
    bool seen = false;
    for (const auto& block : blocks)
      seen = seen || block.value("/inserted/image/virtual-size"_json_pointer, 0) == 16 << 20;
    CHECK(seen);
    CHECK(home.run({"disk", "resize", "web:data", "16MiB"}).out == "web:data has 16 MiB already\n");
    CHECK(home.run({"disk", "resize", "web:data", "8MiB"}).code == 2);
    CHECK(home.run({"disk", "check", "web"}).code == 3);
    // By its file it is a disk of somebody's.
    const auto by_file =
        home.run({"disk", "resize", parts::data(home, "web", "data.qcow2"), "1GiB"});
    CHECK(by_file.code == 3);
    CHECK(contains(by_file.err, "in use by VM `web`"));
    const auto overlay =
        home.run({"disk", "create", "o.qcow2", "--base", parts::data(home, "web", "data.qcow2")});
    CHECK(overlay.code == 3);
    CHECK(contains(overlay.err, "clone"));
    parts::ok(home, {"kill", "web"});
    CHECK(parts::info(home, "web:data").at("virtual_size") == 16 << 20);
  }
  SUBCASE("while it is stopped") {
    parts::ok(home, {"kill", "web"});
    parts::write(home, parts::data(home, "web", "data.qcow2"), 9, 0);
    CHECK(home.run({"disk", "resize", "web:data", "32MiB"}).code == 0);
    CHECK(parts::info(home, "web:data").at("virtual_size") == 32 << 20);
    CHECK(parts::has(home, parts::data(home, "web", "data.qcow2"), 9, 0));
    const auto lower = home.run({"disk", "resize", parts::data(home, "web", "hello.img"), "+1MiB"});
    CHECK(lower.code == 3);
    CHECK(contains(lower.err, "disk of VM `web`"));
    // qcow2 of before 2014 cannot grow with snapshots, and QEMU's own word for it is a riddle.
    const auto old = home.file("old.qcow2");
    parts::tool(home, {"qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", old, "1M"});
    parts::tool(home, {"qemu-img", "snapshot", "-c", "first", old});
    const auto refused = home.run({"disk", "resize", "./old.qcow2", "2MiB"});
    CHECK(refused.code == 1);
    CHECK(contains(refused.err, "amend"));
    parts::tool(home, {"qemu-img", "amend", "-f", "qcow2", "-o", "compat=1.1", old});
    CHECK(home.run({"disk", "resize", "./old.qcow2", "2MiB"}).code == 0);
    CHECK(parts::info(home, "./old.qcow2").at("snapshots").at(0).at("tag") == "first");
    // Another program's disk: it is named.
    const auto qemu = qlaunch::spawn(home.program(
        {"qemu-io", "-f", "qcow2", "-c", "sleep 600000", parts::data(home, "web", "data.qcow2")}));
    const auto user = "qemu-io (pid " + std::to_string(qemu.id.pid) + ")";
    CHECK(test::eventually([&] {
      return contains(home.run({"disk", "info", "web:data"}).out, user);
    }));
    for (const auto& words : {std::vector<std::string>{"disk", "resize", "web:data", "1GiB"},
                              {"disk", "check", "web", "--repair"},
                              {"up", "web.toml"}}) {
      const auto held = home.run(words);
      CHECK(held.code == 3);
      CHECK_MESSAGE(contains(held.err, "in use by " + user), held.err);
    }
    qlaunch::kill_and_reap(qemu);
  }
}

TEST_CASE("leaked space is found and freed, errors are told by the exit code") {
  const Home home;
  parts::ok(home, {"disk", "create", "a.qcow2", "1MiB"});
  const auto path = home.file("a.qcow2");
  parts::write(home, path, 5, 0);
  CHECK(home.run({"disk", "check", "./a.qcow2"}).out == path + ": no errors\n");
  // After header, two levels of refcounts, L1, L2 and one cluster of data: the seventh is said to
  // be in use.
  auto bytes = qlaunch::read_file(path);
  auto leaky = bytes;
  leaky.resize(7 * 65536, '\0');
  leaky[2 * 65536 + 6 * 2 + 1] = 1;
  const auto put = [&](const std::string& content) { home.write("a.qcow2", content); };
  put(leaky);
  const auto found = home.run({"disk", "check", "./a.qcow2"});
  CHECK(found.code == 0);
  CHECK(contains(found.out, "1 leaked cluster"));
  CHECK(contains(found.err, "--repair"));
  CHECK(
      contains(home.run({"disk", "check", "./a.qcow2", "--repair"}).out, "1 leaked cluster freed"));
  CHECK(parts::damage(home, path).empty());
  CHECK(parts::has(home, path, 5, 0));

  // The data's cluster is said to be free: the next write would go into it.
  bytes[2 * 65536 + 5 * 2 + 1] = 0;
  put(bytes);
  const auto broken = home.run({"disk", "check", "./a.qcow2", "--json"});
  CHECK(broken.code == 1);
  CHECK(json::parse(broken.out).at(0).at("whole") == false);
  CHECK(home.run({"disk", "check", "./a.qcow2", "--repair"}).code == 0);
  CHECK(parts::damage(home, path).empty());
  CHECK(parts::has(home, path, 5, 0));
}
