// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "host/socket.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

using nlohmann::json;
using test::contains;
using test::Home;

namespace {

json status(const Home& home, const std::string& vm) {
  const auto result = home.run({"status", vm, "--json"});
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("the built-in VM starts, is looked at, greets and powers off") {
  Home home;
  const auto up = home.run({"hello"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  CHECK(contains(up.out, "hello runs"));

  const auto listed = json::parse(home.run({"list", "--json"}).out);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["name"] == "hello");
  CHECK(listed[0]["state"] == "running");
  CHECK(listed[0]["pid"].get<int>() > 1);

  const auto facts = status(home, "hello");
  CHECK(facts["state"] == "running");
  CHECK(facts["accelerator"] == "tcg");
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "running\n");

  const auto log = home.run({"log", "hello"});
  CHECK(log.code == 0);
  CHECK(contains(log.out, "hello from qlaunch"));

  const auto stopped = home.run({"shutdown", "hello", "--timeout", "60s"});
  CHECK_MESSAGE(stopped.code == 0, stopped.err);
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "stopped\n");
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
  CHECK(contains(home.run({"log", "hello", "events"}).out, "guest-shutdown"));
}

TEST_CASE("up of a VM that runs says so and changes nothing") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto before = status(home, "hello")["pid"];
  const auto again = home.run({"up", "hello"});
  CHECK(again.code == 0);
  CHECK(contains(again.out + again.err, "hello already runs"));
  CHECK(status(home, "hello")["pid"] == before);
}

TEST_CASE("two commands that start one VM at once start it once") {
  Home home;
  // The first makes the disk, so that both race over the start alone.
  REQUIRE(home.run({"hello"}).code == 0);
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  const auto first = home.start({"up", "hello"});
  const auto second = home.start({"up", "hello"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  CHECK(qlaunch::reap(first, deadline) == 0);
  CHECK(qlaunch::reap(second, deadline) == 0);
  int machines = 0;
  for (const auto& process : home.processes()) machines += contains(process, "-machine") ? 1 : 0;
  CHECK(machines == 1);
}

TEST_CASE("three lines make a VM, with ssh on a port that stays the same") {
  Home home;
  qlaunch::run_and_capture(
      {"qemu-img", "create", "-q", "-f", "qcow2", home.file("base.qcow2"), "1M"});
  home.write("three.toml", "[[disk]]\nimage = \"./base.qcow2\"\nsize = \"20 GiB\"\n");
  const auto up = home.run({"three.toml"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  const auto facts = status(home, "three");
  CHECK(facts["cpus"] == 2);
  CHECK(facts["memory"] == 2147483648ULL);
  REQUIRE(facts["forwards"].size() == 1);
  const int port = facts["forwards"][0]["host_port"];
  CHECK(port > 0);
  CHECK(facts["forwards"][0]["guest_port"] == 22);
  CHECK(facts["forwards"][0]["host_address"] == "127.0.0.1");
  CHECK_FALSE(
      qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port)));

  REQUIRE(home.run({"kill", "three"}).code == 0);
  REQUIRE(home.run({"up", "three", "--no-wait"}).code == 0);
  CHECK(status(home, "three")["forwards"][0]["host_port"] == port);
}

TEST_CASE("a name belongs to one profile until the user says otherwise") {
  Home home;
  const std::string text =
      "name = \"web\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n";
  home.write("one.toml", text);
  home.write("two.toml", text);
  REQUIRE(home.run({"up", "one.toml"}).code == 0);
  REQUIRE(home.run({"kill", "web"}).code == 0);

  const auto refused = home.run({"up", "two.toml"});
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "belongs to another profile"));
  CHECK(contains(refused.err, "--name NEW"));
  CHECK(home.processes().empty());

  CHECK(home.run({"up", "two.toml", "--name", "web2"}).code == 0);
  CHECK(home.run({"up", "two.toml", "--adopt"}).code == 0);
  CHECK(contains(status(home, "web")["profile"], "two.toml"));

  SUBCASE("a profile that is gone is no longer in the way") {
    REQUIRE(home.run({"kill", "web"}).code == 0);
    std::filesystem::remove(home.file("two.toml"));
    const auto adopted = home.run({"up", "one.toml"});
    CHECK(adopted.code == 0);
    CHECK(contains(adopted.err, "is gone"));
  }
}

TEST_CASE("a known VM is found by its name from anywhere, and a changed profile is told") {
  Home home;
  home.write(
      "deep/vm.toml",
      "name = \"deep\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n");
  REQUIRE(home.run({"up", "deep/vm.toml"}).code == 0);
  CHECK(status(home, "deep")["needs_restart"] == false);
  REQUIRE(home.run({"kill", "deep"}).code == 0);
  REQUIRE(home.run({"up", "deep"}).code == 0);
  home.write("deep/vm.toml",
             "name = \"deep\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n"
             "[machine]\nmemory = \"64 MiB\"\n");
  CHECK(status(home, "deep")["needs_restart"] == true);
  const auto again = home.run({"up", "deep"});
  CHECK(again.code == 0);
  CHECK(contains(again.out + again.err, "changed"));
}

TEST_CASE("a VM's folders are private, and its sockets for its user alone") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  namespace fs = std::filesystem;
  const auto mode = [](const std::string& path) {
    return static_cast<unsigned>(fs::status(path).permissions()) & 0777U;
  };
  CHECK(mode(home.path() + "/run/hello") == 0700);
  CHECK(mode(home.path() + "/data/hello") == 0700);
  for (const auto& entry : fs::directory_iterator(home.path() + "/run/hello"))
    CHECK_MESSAGE((mode(entry.path().string()) & 077U) == 0, entry.path().string());
}

TEST_CASE("KVM that only looks usable is found out once and remembered") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto facts = status(home, "hello");
  // Here /dev/kvm opens but runs no guest; where KVM works, this test has nothing to say.
  if (facts["accelerator"] == "kvm") return;
  const auto probe = home.path() + "/cache/probe";
  REQUIRE(std::filesystem::exists(probe));
  std::map<std::string, std::filesystem::file_time_type> before;
  for (const auto& entry : std::filesystem::directory_iterator(probe))
    before[entry.path().string()] = entry.last_write_time();
  CHECK_FALSE(before.empty());
  REQUIRE(home.run({"args", "hello"}).code == 0);
  for (const auto& [path, time] : before) CHECK(std::filesystem::last_write_time(path) == time);
}
