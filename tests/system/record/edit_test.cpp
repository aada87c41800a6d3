// SPDX-License-Identifier: MIT
// A profile in an editor, and a VM started anew with what it says then.
#include "hello.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using test::contains;
using test::hello;
using test::Home;

namespace {

std::string get(const Home& home, const std::string& vm, const std::string& key) {
  return home.run({"status", vm, "--get", key}).out;
}

}  // namespace

TEST_CASE("edit opens the profile in the user's editor and checks what it says then") {
  Home home;
  home.write("web.toml", "machine.memory = \"32 MiB\"\n" + hello);

  SUBCASE("a change that is right, by an editor with words of its own") {
    home.environment = {"EDITOR=sed -i -e 's/32 MiB/64 MiB/'", "VISUAL"};
    const auto edited = home.run({"edit", "web.toml"});
    CHECK_MESSAGE(edited.code == 0, edited.err);
    CHECK(contains(edited.out, "web.toml: ok"));
    CHECK(contains(qlaunch::read_file(home.file("web.toml")), "64 MiB"));
    CHECK(home.run({"edit", "web.toml"}).code == 0);
  }
  SUBCASE("VISUAL comes before EDITOR, and its file's name may hold spaces") {
    std::filesystem::rename(home.file("web.toml"), home.file("a web.toml"));
    home.environment = {"EDITOR=false", "VISUAL=sed -i 's/32 MiB/lots/'"};
    const auto edited = home.run({"edit", "a web.toml"});
    CHECK(edited.code == 2);
    CHECK(contains(edited.err, "is not a size"));
    CHECK_FALSE(contains(edited.err, "again?"));
  }
  SUBCASE("an editor that fails, and none at all") {
    home.environment = {"VISUAL", "EDITOR=exit 3;"};
    const auto failed = home.run({"edit", "web.toml"});
    CHECK(failed.code == 1);
    CHECK(contains(failed.err, "exit code 3"));
    home.environment = {"VISUAL", "EDITOR"};
    const auto none = home.run({"edit", "web.toml"});
    CHECK(none.code == 2);
    CHECK(contains(none.err, "EDITOR"));
  }
  SUBCASE("nothing changed") {
    home.environment = {"VISUAL", "EDITOR=true"};
    const auto same = home.run({"edit", "web.toml"});
    CHECK(same.code == 0);
    CHECK(same.out.empty());
    CHECK(contains(same.err, "nothing was changed"));
  }
  SUBCASE("what cannot be edited") {
    home.environment = {"VISUAL", "EDITOR=true"};
    const auto builtin = home.run({"edit", "hello"});
    CHECK(builtin.code == 2);
    CHECK(contains(builtin.err, "init NAME --from hello"));
    CHECK(home.run({"edit", "nothing"}).code == 2);
    std::filesystem::permissions(home.file("web.toml"), std::filesystem::perms::owner_read);
    const auto readonly = home.run({"edit", "web.toml"});
    CHECK(readonly.code == 2);
    CHECK(contains(readonly.err, "cannot be written"));
  }
  SUBCASE("of a running VM: the difference is told, and nothing else happens") {
    REQUIRE(home.run({"up", "web.toml"}).code == 0);
    const auto pid = get(home, "web", "pid");
    home.environment = {"VISUAL", "EDITOR=sed -i 's/32 MiB/64 MiB/'"};
    const auto edited = home.run({"edit", "web"});
    CHECK(edited.code == 0);
    CHECK(contains(edited.out, "machine.memory: \"32 MiB\" -> \"64 MiB\""));
    CHECK(contains(edited.err, "qlaunch reload web"));
    CHECK(get(home, "web", "pid") == pid);
  }
}

TEST_CASE("reload starts a VM anew with its changed profile, and only with a right one") {
  Home home;
  home.write("web.toml", "machine.memory = \"32 MiB\"\n" + hello);
  REQUIRE(home.run({"up", "web.toml", "--set", "cpu.count=1"}).code == 0);
  const auto pid = get(home, "web", "pid");

  home.write("web.toml", "machine.memory = \"lots\"\n" + hello);
  const auto wrong = home.run({"reload", "web"});
  CHECK(wrong.code == 2);
  CHECK(contains(wrong.err, "is not a size"));
  CHECK(get(home, "web", "pid") == pid);

  // Ports are looked at before, too; this one is the port of another VM.
  home.write("other.toml",
             "[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nforward = [\"auto:22\"]\n");
  REQUIRE(home.run({"up", "other.toml"}).code == 0);
  auto port = get(home, "other", "ssh_port");
  port.pop_back();
  home.write("web.toml",
             "[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nforward = [\"" + port + ":22\"]\n");
  const auto taken = home.run({"reload", "web"});
  CHECK(taken.code == 1);
  CHECK(contains(taken.err, "is taken"));
  CHECK(get(home, "web", "pid") == pid);

  home.write("web.toml", "machine.memory = \"64 MiB\"\n" + hello);
  const auto reloaded = home.run({"reload", "web"});
  REQUIRE_MESSAGE(reloaded.code == 0, reloaded.err);
  CHECK(get(home, "web", "pid") != pid);
  CHECK(get(home, "web", "memory") == "67108864\n");
  // What `--set` gave holds still.
  CHECK(get(home, "web", "cpus") == "1\n");
  CHECK(get(home, "web", "needs_restart") == "false\n");
  CHECK(contains(home.run({"log", "web", "events"}).out, "guest-shutdown"));

  REQUIRE(home.run({"shutdown", "web"}).code == 0);
  CHECK(home.run({"reload", "web"}).code == 0);
  CHECK(get(home, "web", "state") == "running\n");
  CHECK(home.run({"reload", "nobody"}).code == 3);
}
