// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "support/run.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// The built-in guest with a screen, but no window.
constexpr auto screen =
    "name = \"screen\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n"
    "[machine]\nmemory = \"64 MiB\"\n[display]\ntype = \"none\"\ngpu = \"std\"\n"
    "[ready]\nwhen = \"serial:hello from qlaunch\"\n";

/// A program in the PATH of every command of this home.
void install(Home& home, const std::string& name, const std::string& text) {
  const auto path = home.write("bin/" + name, "#!/bin/bash\n" + text);
  REQUIRE(chmod(path.c_str(), 0755) == 0);
}

}  // namespace

TEST_CASE("a picture is taken of a VM without a window") {
  Home home;
  home.write("screen.toml", screen);
  REQUIRE(home.run({"up", "screen.toml"}).code == 0);
  CHECK(home.run({"screenshot", "screen", "now.png"}).code == 0);
  const auto picture = qlaunch::read_file(home.file("now.png"));
  // A PNG's signature, and its end: it is whole.
  CHECK(picture.starts_with("\x89PNG\r\n\x1a\n"));
  CHECK(contains(picture.substr(picture.size() - 12), "IEND"));
  CHECK(home.run({"screenshot", "screen", "-"}).out.starts_with("\x89PNG"));

  const auto again = home.run({"screenshot", "screen", "now.png"});
  CHECK(again.code == 2);
  CHECK(contains(again.err, "exists already"));
  home.write("old.png", "old");
  CHECK(home.run({"screenshot", "screen", "old.png", "--force"}).code == 0);
  CHECK(qlaunch::read_file(home.file("old.png")).starts_with("\x89PNG"));

  CHECK(home.run({"screenshot", "screen", "now.jpg"}).code == 2);
  CHECK(home.run({"screenshot", "screen", "no/such/folder.png"}).code == 1);
  CHECK(home.run({"screenshot", "screen", "."}).code == 2);
  REQUIRE(home.run({"pause", "screen"}).code == 0);
  CHECK(home.run({"screenshot", "screen", "paused.png"}).code == 0);
  for (const auto& file : home.runtime_files()) CHECK_FALSE(contains(file, "screenshot"));
}

TEST_CASE("a VM without a graphics card says so") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  for (const auto& words : {std::vector<std::string>{"screenshot", "hello", "a.png"},
                            std::vector<std::string>{"view", "hello"}}) {
    const auto result = home.run(words);
    CHECK(result.code == 3);
    CHECK(contains(result.err, "no graphics card"));
  }
  CHECK_FALSE(std::filesystem::exists(home.file("a.png")));
}

TEST_CASE("where a screen can be seen is told where nothing can show it") {
  Home home;
  home.write("screen.toml", screen);
  REQUIRE(home.run({"up", "screen.toml"}).code == 0);
  const auto socket = home.path() + "/run/screen/vnc.sock";
  CHECK(home.run({"view", "screen", "--print"}).out == socket + "\n");
  CHECK(json::parse(home.run({"view", "screen", "--json"}).out)["vnc_socket"] == socket);
  struct stat status {};
  REQUIRE(stat(socket.c_str(), &status) == 0);
  CHECK((status.st_mode & 077U) == 0);
  const auto bare = home.run({"view", "screen"});
  CHECK(bare.code == 1);
  CHECK(contains(bare.err, "needs a desktop"));

  home.environment = {"DISPLAY=:99", "PATH=" + home.file("bin")};
  install(home, "unused", "exit 0\n");
  const auto none = home.run({"view", "screen"});
  CHECK(none.code == 1);
  CHECK(contains(none.err, "no program to see the screen with"));
  CHECK(contains(none.err, "tigervnc-viewer"));
}

TEST_CASE("a viewer gets the socket, or a port that leads to it") {
  Home home;
  home.write("screen.toml", screen);
  REQUIRE(home.run({"up", "screen.toml"}).code == 0);
  // Whatever is installed here is not to be found.
  home.environment = {"DISPLAY=:99", "PATH=" + home.file("bin")};
  // It reads the greeting of a VNC server, and then its window is closed.
  install(home, "gvncviewer",
          "echo \"$1\" > \"$HOME/address\"\n"
          "exec 3<>/dev/tcp/127.0.0.1/$((${1##*:} + 5900)) || exit 5\n"
          "/usr/bin/head -c 7 <&3 > \"$HOME/greeting\"\n");
  const auto relayed = home.run({"view", "screen"});
  CHECK_MESSAGE(relayed.code == 0, relayed.err);
  CHECK(qlaunch::read_file(home.file("greeting")) == "RFB 003");
  CHECK(home.run({"status", "screen", "--get", "state"}).out == "running\n");

  install(home, "vncviewer",
          "if [ \"$1\" = --version ]; then echo TigerVNC Viewer v1.12 >&2; exit 0; fi\n"
          "echo \"$1\" > \"$HOME/direct\"\necho cannot open display\nexit 7\n");
  const auto failed = home.run({"view", "screen"});
  CHECK(failed.code == 1);
  CHECK(contains(failed.err, "exit code 7"));
  CHECK(contains(failed.err, "cannot open display"));
  CHECK(qlaunch::read_file(home.file("direct")) == home.path() + "/run/screen/vnc.sock\n");
}
