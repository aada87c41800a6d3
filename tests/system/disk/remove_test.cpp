// SPDX-License-Identifier: MIT
// A VM removed: what goes, what stays, who is refused, and what a kill in between leaves.
#include "disk/parts.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using test::contains;
using test::Home;
namespace fs = std::filesystem;

namespace {

/// Everything in a folder but locks, and the logs of nobody.
std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename().string());
  return names;
}

}  // namespace

TEST_CASE("remove says what goes and what stays, and takes no file of the user's") {
  Home home;
  home.write(
      "web.toml",
      parts::profile("[[disk]]\nname = \"mine\"\nfile = \"mine.qcow2\"\nsize = \"1 MiB\"\n"));
  parts::ok(home, {"up", "web.toml"});
  const auto running = home.run({"remove", "web", "--yes"});
  CHECK(running.code == 3);
  CHECK(contains(running.err, "shutdown web"));
  parts::ok(home, {"kill", "web"});

  const auto unasked = home.run({"remove", "web"});
  CHECK(unasked.code == 2);
  CHECK(contains(unasked.err, "--yes"));
  CHECK(fs::exists(parts::data(home, "web", "root.qcow2")));

  const auto removed = home.run({"rm", "web.toml", "--yes"});
  CHECK(removed.code == 0);
  CHECK(contains(removed.out, "web: removed, "));
  CHECK(entries(home.path() + "/data").empty());
  CHECK(entries(home.path() + "/state").empty());
  CHECK(fs::exists(home.file("web.toml")));
  CHECK(fs::exists(home.file("mine.qcow2")));
  CHECK(home.run({"remove", "web", "--yes"}).code == 3);
  // The name is free, and nothing of the old one comes back.
  parts::ok(home, {"up", "web.toml"});
  CHECK(parts::info(home, "web:mine").at("virtual_size") == 1 << 20);
  parts::ok(home, {"kill", "web"});
}

TEST_CASE("a disk that somebody needs keeps its VM, and whoever needs it is named") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  const auto data = parts::data(home, "web", "data.qcow2");
  home.write("site.toml", parts::profile("[[disk]]\nname = \"linked\"\nbase = \"" + data + "\"\n"));
  parts::ok(home, {"up", "site.toml"});
  parts::ok(home, {"kill", "site"});

  const auto needed = home.run({"remove", "web", "--yes"});
  CHECK(needed.code == 3);
  CHECK(contains(needed.err, "`site`"));
  CHECK(fs::exists(data));
  parts::ok(home, {"remove", "site", "--yes"});

  const auto other =
      qlaunch::spawn(home.program({"qemu-io", "-f", "qcow2", "-c", "sleep 600000", data}));
  const auto user = "qemu-io (pid " + std::to_string(other.id.pid) + ")";
  CHECK(test::eventually([&] {
    return contains(home.run({"disk", "info", "web:data"}).out, user);
  }));
  const auto held = home.run({"remove", "web", "--yes"});
  CHECK(held.code == 3);
  CHECK_MESSAGE(contains(held.err, "in use by"), held.err);
  CHECK(fs::exists(data));
  qlaunch::kill_and_reap(other);
  parts::ok(home, {"remove", "web", "--yes"});
  CHECK(entries(home.path() + "/data").empty());
}

TEST_CASE("killed while it removes: the VM is there, or it is gone and the rest follows") {
  for (const std::string step :
       {"remove-cleared", "remove-logs", "remove-renamed", "remove-data"}) {
    CAPTURE(step);
    Home home;
    home.write("web.toml", parts::profile());
    parts::ok(home, {"up", "web.toml"});
    parts::ok(home, {"kill", "web"});
    parts::write(home, parts::data(home, "web", "data.qcow2"), 3, 0);
    parts::kill_at(home, step, {"remove", "web", "--yes"});

    const bool known = contains(home.run({"list", "-q"}).out, "web");
    CHECK(known == (step == "remove-cleared" || step == "remove-logs"));
    if (known) {
      CHECK(parts::has(home, parts::data(home, "web", "data.qcow2"), 3, 0));
      parts::ok(home, {"up", "web"});
      parts::ok(home, {"kill", "web"});
      parts::ok(home, {"remove", "web", "--yes"});
    }
    CHECK(home.run({"list", "-q"}).out.empty());
    CHECK(entries(home.path() + "/data").empty());
  }
}
