// SPDX-License-Identifier: MIT
//
// Forwards and media of a running VM.
#include "host/files.hpp"
#include "host/socket.hpp"
#include "support/run.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

using nlohmann::json;
using test::contains;
using test::Home;

namespace {

std::string networked(const std::string& name) {
  return "name = \"" + name +
         "\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"user\"\nforward = "
         "[\"auto:22\"]\n[machine]\nmemory = \"64 MiB\"\n[display]\ntype = \"none\"\n[ready]\nwhen "
         "= \"started\"\n";
}

constexpr auto drives =
    "name = \"drives\"\n[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n"
    "[[disk]]\nname = \"cd\"\nmedia = \"cdrom\"\n[machine]\nmemory = \"64 MiB\"\n"
    "[display]\ntype = \"none\"\n[ready]\nwhen = \"started\"\n";

json forwards(const Home& home, const std::string& vm) {
  const auto asked = json::parse(home.run({"forward", "list", vm, "--json"}).out);
  // What qlaunch remembers is what QEMU has.
  CHECK(json::parse(home.run({"status", vm, "--get", "forwards"}).out) == asked);
  return asked;
}

/// A port that was free a moment ago.
std::uint16_t some_port() {
  for (std::uint16_t port = 42000; port < 60000; ++port) {
    bool free = true;
    for (std::uint16_t at = 0; at < 4; ++at)
      free = free && qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1",
                                        static_cast<std::uint16_t>(port + at));
    if (free) return port;
  }
  return 0;
}

bool is_free(int port) {
  return qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1", static_cast<std::uint16_t>(port));
}

json medium(const Home& home, const std::string& vm) {
  return json::parse(home.run({"media", "list", vm, "--json"}).out).at(0);
}

}  // namespace

TEST_CASE("a forward is added and removed while the VM runs") {
  Home home;
  home.write("web.toml", networked("web"));
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  REQUIRE(forwards(home, "web").size() == 1);
  const int port = some_port();
  const auto spec = std::to_string(port) + ":80";
  const auto added = home.run({"forward", "add", "web", spec});
  CHECK_MESSAGE(added.code == 0, added.err);
  CHECK(added.out == "net0  127.0.0.1:" + std::to_string(port) + " -> 80 tcp\n");
  CHECK_FALSE(is_free(port));
  CHECK(forwards(home, "web").size() == 2);

  const auto again = home.run({"forward", "add", "web", spec});
  CHECK(again.code == 0);
  CHECK(forwards(home, "web").size() == 2);
  const auto other = home.run({"forward", "add", "web", std::to_string(port) + ":81"});
  CHECK(other.code == 1);
  CHECK(contains(other.err, "already, to port 80"));

  CHECK(home.run({"forward", "remove", "web", std::to_string(port)}).code == 0);
  CHECK(is_free(port));
  const auto gone = home.run({"forward", "remove", "web", std::to_string(port)});
  CHECK(gone.code == 3);
  CHECK(contains(gone.err, "`qlaunch forward list web`"));
}

TEST_CASE("automatic ports, UDP and other addresses are forwarded as they are asked for") {
  Home home;
  home.write("web.toml", networked("web"));
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  const auto added = json::parse(
      home.run({"forward", "add", "web", "auto:80", "udp:auto:53", "0.0.0.0:auto:81", "--json"})
          .out);
  REQUIRE(added.size() == 3);
  for (const auto& each : added) CHECK(each["host_port"].get<int>() > 0);
  CHECK(added[1]["protocol"] == "udp");
  CHECK(added[2]["host_address"] == "0.0.0.0");
  CHECK(forwards(home, "web").size() == 4);
  const auto udp = "udp:" + added[1]["host_port"].dump();
  const auto removed = home.run({"forward", "remove", "web", udp, added[2]["host_port"].dump()});
  CHECK_MESSAGE(removed.code == 0, removed.err);
  CHECK(forwards(home, "web").size() == 2);
}

TEST_CASE("a port that is taken is named with its holder, and of a range nothing stays") {
  Home home;
  home.write("web.toml", networked("web"));
  home.write("other.toml", networked("other"));
  REQUIRE(home.run({"up", "web.toml", "other.toml"}).code == 0);
  const int port = some_port();
  REQUIRE(home.run({"forward", "add", "other", std::to_string(port + 2) + ":22"}).code == 0);
  const auto range = std::to_string(port) + '-' + std::to_string(port + 3) + ":8000-8003";
  const auto taken = home.run({"forward", "add", "web", range});
  CHECK(taken.code == 1);
  CHECK_MESSAGE(contains(taken.err, std::to_string(port + 2) + " is taken by qemu-system"),
                taken.err);
  CHECK(is_free(port));
  CHECK(forwards(home, "web").size() == 1);
}

TEST_CASE("forwards that make no sense are refused in words") {
  Home home;
  home.write("web.toml", networked("web"));
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  REQUIRE(home.run({"hello"}).code == 0);
  CHECK(home.run({"forward", "add", "web"}).code == 2);
  CHECK(home.run({"forward", "add", "web", "80"}).code == 2);
  CHECK(home.run({"forward", "remove", "web", "x"}).code == 2);
  CHECK(home.run({"forward", "ad", "web", "80:80"}).code == 2);
  const auto network = home.run({"forward", "add", "web", "auto:80", "--network", "net7"});
  CHECK(network.code == 3);
  CHECK(contains(network.err, "net0"));
  const auto none = home.run({"forward", "add", "hello", "auto:80"});
  CHECK(none.code == 3);
  CHECK(contains(none.err, "no user network"));
  CHECK(home.run({"forward", "list", "hello"}).out == "");
}

TEST_CASE("a medium is inserted, replaced and ejected") {
  Home home;
  home.write("drives.toml", drives);
  home.write("one.iso", std::string(65536, '1'));
  home.write("a b,c.iso", std::string(131072, '2'));
  REQUIRE(home.run({"up", "drives.toml"}).code == 0);
  CHECK(medium(home, "drives")["file"].is_null());
  const auto inserted = home.run({"media", "insert", "drives", "one.iso"});
  CHECK_MESSAGE(inserted.code == 0, inserted.err);
  CHECK(medium(home, "drives")["file"] == home.file("one.iso"));
  CHECK(medium(home, "drives")["format"] == "raw");
  CHECK(medium(home, "drives")["tray_open"] == false);
  CHECK(home.run({"status", "drives", "--get", "disks.cd.path"}).out ==
        home.file("one.iso") + "\n");

  CHECK(home.run({"media", "insert", "drives", "cd", "a b,c.iso"}).code == 0);
  CHECK(medium(home, "drives")["file"] == home.file("a b,c.iso"));
  CHECK(home.run({"media", "eject", "drives"}).code == 0);
  CHECK(medium(home, "drives")["file"].is_null());
  CHECK(medium(home, "drives")["tray_open"] == true);
  CHECK(contains(home.run({"media", "list", "drives"}).out, "empty"));
  CHECK(home.run({"media", "eject", "drives"}).code == 0);
  // No block node of a medium that has gone is left.
  const auto nodes = home.run({"qmp", "drives", "query-named-block-nodes", "flat=true"}).out;
  CHECK_FALSE(contains(nodes, ".iso"));
}

TEST_CASE("a qcow2 image is read as one") {
  Home home;
  home.write("drives.toml", drives);
  const auto image = home.file("disk.qcow2");
  REQUIRE(qlaunch::run_and_capture({"qemu-img", "create", "-q", "-f", "qcow2", image, "3M"}).ok());
  REQUIRE(chmod(image.c_str(), 0644) == 0);
  REQUIRE(home.run({"up", "drives.toml"}).code == 0);
  const auto inserted = home.run({"media", "insert", "drives", "disk.qcow2"});
  CHECK_MESSAGE(inserted.code == 0, inserted.err);
  CHECK(medium(home, "drives")["format"] == "qcow2");
}

TEST_CASE("a medium that cannot be is refused before the drive is touched") {
  Home home;
  home.write("drives.toml", drives);
  home.write("one.iso", std::string(65536, '1'));
  home.write("empty.iso", "");
  const auto secret = home.write("secret.iso", "secret");
  REQUIRE(chmod(secret.c_str(), 0) == 0);
  REQUIRE(home.run({"up", "drives.toml"}).code == 0);
  REQUIRE(home.run({"media", "insert", "drives", "one.iso"}).code == 0);
  for (const auto& [file, words] :
       std::vector<std::pair<std::string, std::string>>{{"missing.iso", "does not exist"},
                                                        {".", "is a folder"},
                                                        {"empty.iso", "is empty"},
                                                        {"secret.iso", "may not be read"}}) {
    const auto refused = home.run({"media", "insert", "drives", file});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(contains(refused.err, words), refused.err);
  }
  const auto drive = home.run({"media", "insert", "drives", "dvd", "one.iso"});
  CHECK(drive.code == 3);
  CHECK(contains(drive.err, "its drive is cd"));
  CHECK(home.run({"media", "eject", "drives", "root"}).code == 3);
  CHECK(home.run({"media", "insert", "drives"}).code == 2);
  CHECK(home.run({"media", "swap", "drives"}).code == 2);
  CHECK(medium(home, "drives")["file"] == home.file("one.iso"));
}
