// SPDX-License-Identifier: MIT
// What a changed profile would change of a VM that runs, and how `up` and `status` speak of it.
#include "hello.hpp"
#include "support/run.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using test::contains;
using test::hello;
using test::Home;

namespace {

json diff(const Home& home, const std::string& vm) {
  const auto result = home.run({"diff", vm, "--json"});
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("a changed profile is told key by key, and up of the running VM says the same") {
  Home home;
  home.write("web.toml", hello + "[machine]\nmemory = \"32 MiB\"\n");
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  CHECK(diff(home, "web")["changes"].empty());
  CHECK(home.run({"diff", "web"}).out.empty());

  SUBCASE("what takes a restart") {
    home.write("web.toml", hello + "[machine]\nmemory = \"64 MiB\"\n");
    const auto found = diff(home, "web.toml");
    CHECK(found["runs"] == true);
    CHECK(found["needs_restart"] == true);
    REQUIRE(found["changes"].size() == 1);
    const auto& change = found["changes"][0];
    CHECK(change["key"] == "machine.memory");
    CHECK(change["before"] == "\"32 MiB\"");
    CHECK(change["after"] == "\"64 MiB\"");
    CHECK(change["file"] == "web.toml");
    CHECK(change["line"] == 8);
    CHECK(change["effect"] == "next-start");
    CHECK(home.run({"status", "web", "--get", "needs_restart"}).out == "true\n");

    const auto pid = home.run({"status", "web", "--get", "pid"}).out;
    const auto up = home.run({"up", "web"});
    CHECK(up.code == 0);
    CHECK(contains(up.out, "machine.memory: \"32 MiB\" -> \"64 MiB\""));
    CHECK(contains(up.out, "web.toml:8"));
    CHECK(home.run({"status", "web", "--get", "pid"}).out == pid);
    const auto differing = home.run({"up", "web", "--set", "machine.memory=64MiB"});
    CHECK(differing.code == 3);

    REQUIRE(home.run({"kill", "web"}).code == 0);
    const auto stopped = diff(home, "web");
    CHECK(stopped["runs"] == false);
    CHECK(stopped["needs_restart"] == false);
    CHECK(stopped["changes"].size() == 1);
  }
  SUBCASE("what does not") {
    home.write("web.toml", "description = \"a guest that says hello\"\n# and a comment\n" + hello +
                               "[machine]\nmemory = \"32768 KiB\"\n");
    const auto found = diff(home, "web");
    REQUIRE(found["changes"].size() == 1);
    CHECK(found["changes"][0]["effect"] == "now");
    CHECK(home.run({"status", "web", "--get", "needs_restart"}).out == "false\n");
  }
  SUBCASE("a disk that exists stays as it is") {
    auto text = hello + "[machine]\nmemory = \"32 MiB\"\n";
    text.insert(text.find("[[network]]"), "size = \"8 MiB\"\n");
    home.write("web.toml", text);
    const auto found = diff(home, "web");
    REQUIRE(found["changes"].size() == 1);
    CHECK(found["changes"][0]["key"] == "disk.root.size");
    CHECK(found["changes"][0]["effect"] == "new-disk");
    CHECK(found["needs_restart"] == false);
  }
  SUBCASE("what cannot be read or is gone") {
    home.write("web.toml", hello + "[machine]\nmemory = \"lots\"\n");
    const auto wrong = home.run({"diff", "web"});
    CHECK(wrong.code == 2);
    CHECK(contains(wrong.err, "is not a size"));
    CHECK(home.run({"status", "web", "--get", "needs_restart"}).out == "true\n");
    std::filesystem::remove(home.file("web.toml"));
    const auto gone = home.run({"diff", "web"});
    CHECK(gone.code == 2);
    CHECK(contains(gone.err, "is gone"));
    CHECK(home.run({"status", "web", "--get", "needs_restart"}).out == "false\n");
  }
}

TEST_CASE("what a base says is part of the profile") {
  Home home;
  home.write("base.toml", hello);
  home.write("vm.toml", "extends = \"base.toml\"\n");
  REQUIRE(home.run({"up", "vm.toml"}).code == 0);
  home.write("base.toml", hello + "[cpu]\ncount = 1\n");
  const auto found = diff(home, "vm");
  REQUIRE(found["changes"].size() == 1);
  CHECK(found["changes"][0]["key"] == "cpu.count");
  CHECK(contains(found["changes"][0]["file"], "base.toml"));
}

TEST_CASE("a setting of the start is held on both sides") {
  Home home;
  home.write("vm.toml", hello);
  REQUIRE(home.run({"up", "vm.toml", "--set", "machine.memory=24MiB"}).code == 0);
  home.write("vm.toml", hello + "[machine]\nmemory = \"48 MiB\"\n");
  CHECK(diff(home, "vm")["changes"].empty());
}
