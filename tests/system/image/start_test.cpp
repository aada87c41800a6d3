// SPDX-License-Identifier: MIT
// `up` and `run` fetch the images they miss, and start real guests from them.
#include "host/files.hpp"
#include "image/hello_image.hpp"
#include "system/image/server.hpp"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::Home;
using test::image_files;
using test::Server;
namespace fs = std::filesystem;

namespace {

/// The built-in guest as a packed raw image on the server; returns its digest.
std::string put_hello(const Server& server) {
  const auto code = qlaunch::hello_boot_code();
  std::string bytes(code.begin(), code.end());
  bytes.resize(qlaunch::hello_image_size, '\0');
  server.put("hello.img", bytes);
  test::python(
      "import lzma,sys; open(sys.argv[1]+'.xz','wb').write(lzma.compress("
      "open(sys.argv[1],'rb').read()))",
      {server.file("hello.img")});
  return test::digest_of(server.file("hello.img.xz"));
}

std::string profile(const std::string& url, const std::string& digest) {
  return "[[image]]\nname = \"tiny\"\nurl = \"" + url + "\"\nsha512 = \"" + digest +
         "\"\n[[disk]]\nimage = \"tiny\"\n[machine]\nmemory = \"16 MiB\"\n[[network]]\nmode = "
         "\"none\"\n[display]\ntype = \"none\"\n[ready]\nwhen = \"serial:hello from qlaunch\"\n";
}

}  // namespace

TEST_CASE("start: up fetches what it misses, once for two VMs, and the guests run from it") {
  const Server server;
  const Home home;
  const auto digest = put_hello(server);
  const auto text = profile(server.url("slow/hello.img.xz?rate=2000"), digest);
  home.write("one.toml", text);
  home.write("two.toml", text);
  const auto checked = home.run({"check", "one.toml"});
  CHECK(checked.code == 0);
  const auto shown = home.run({"args", "one.toml"});
  CHECK(shown.code == 0);
  CHECK(contains(shown.err, "image `tiny` is not downloaded yet"));
  CHECK(contains(shown.err, "qlaunch image pull '" + server.url("slow/hello.img.xz?rate=2000") +
                                "' --sha512 " + digest));
  CHECK(server.log().empty());

  const auto up = home.run({"up", "one.toml", "two.toml"});
  INFO(up.err);
  REQUIRE(up.code == 0);
  CHECK_FALSE(contains(up.err, "not downloaded"));
  CHECK(server.log().size() == 1);
  for (const std::string name : {"one", "two"}) {
    CHECK(home.run({"status", name, "--get", "state"}).out == "running\n");
    CHECK(contains(home.run({"log", name}).out, "hello from qlaunch"));
  }
  const auto images = json::parse(home.run({"image", "list", "--json"}).out);
  REQUIRE(images.size() == 1);
  CHECK(images[0].at("used_by") == json{"one", "two"});
  CHECK(images[0].at("how") == "xz, unpacked, converted from raw");
  // What two running VMs need is not for prune.
  CHECK(contains(home.run({"image", "prune", "--yes"}).err, "nothing to remove"));
  // A VM that runs is left alone, whatever became of its image.
  for (const auto& name : image_files(home)) fs::remove(home.path() + "/cache/images/" + name);
  const auto again = home.run({"up", "one.toml"});
  CHECK(again.code == 0);
  CHECK(contains(again.out, "already runs"));
  CHECK(server.log().size() == 1);
}

TEST_CASE("start: run fetches, too, and leaves the image for the next") {
  const Server server;
  const Home home;
  const auto digest = put_hello(server);
  home.write("tiny.toml", profile(server.url("plain/hello.img.xz"), digest));
  const auto up = home.run({"up", "tiny.toml", "--ephemeral"});
  INFO(up.err);
  REQUIRE(up.code == 0);
  CHECK(image_files(home).size() == 2);
  const auto name = home.run({"list", "-q"}).out;
  CHECK(home.run({"kill", name.substr(0, name.find('\n'))}).code == 0);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  CHECK(server.log().size() == 1);
}

TEST_CASE("start: what cannot be had stops the start, with the place in the profile") {
  const Server server;
  const Home home;
  const auto digest = put_hello(server);
  SUBCASE("not there") {
    home.write("tiny.toml", profile(server.url("plain/nothing"), digest));
    const auto up = home.run({"up", "tiny.toml"});
    CHECK(up.code == 1);
    CHECK(contains(up.err, "cannot download `tiny`: the server answers 404"));
    CHECK(contains(up.err, "tiny.toml:6:9"));
  }
  SUBCASE("other bytes") {
    home.write("tiny.toml", profile(server.url("plain/hello.img"), digest));
    const auto up = home.run({"up", "tiny.toml"});
    CHECK(up.code == 1);
    CHECK(contains(up.err, "another digest"));
  }
  SUBCASE("altered since") {
    home.write("tiny.toml", profile(server.url("plain/hello.img.xz"), digest));
    REQUIRE(home.run({"image", "pull", "tiny.toml"}).code == 0);
    const auto image = home.path() + "/cache/images/" + image_files(home).at(0);
    fs::permissions(image, fs::perms{0600});
    std::ofstream(image, std::ios::app) << "x";
    const auto up = home.run({"up", "tiny.toml"});
    CHECK(up.code == 1);
    CHECK(contains(up.err, "was altered"));
    CHECK(home.run({"image", "pull", "tiny.toml"}).code == 0);
    CHECK(home.run({"up", "tiny.toml"}).code == 0);
    return;
  }
  CHECK(image_files(home).empty());
  CHECK(home.run({"list", "-q"}).out.empty());
  CHECK_FALSE(fs::exists(home.path() + "/data/tiny"));
}

TEST_CASE(
    "start: Ctrl-C while the image comes leaves no VM, and the next start goes on from there") {
  const Server server;
  const Home home;
  const auto digest = put_hello(server);
  const auto url = server.url("slow/hello.img.xz?rate=400");
  home.write("tiny.toml", profile(url, digest));
  const auto up = home.start({"up", "tiny.toml"});
  REQUIRE(test::eventually([&] {
    for (const auto& name : image_files(home)) {
      std::error_code none;
      const auto size = fs::file_size(home.path() + "/cache/images/" + name, none);
      if (name.ends_with(".part") && !none && size > 0) return true;
    }
    return false;
  }));
  // Nobody else has to wait for the name meanwhile.
  CHECK(home.run({"list"}).code == 0);
  kill(up.id.pid, SIGINT);
  const auto end = qlaunch::reap(up, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(end);
  CHECK(WEXITSTATUS(*end) == 130);
  CHECK(home.run({"list", "-q"}).out.empty());
  CHECK_FALSE(fs::exists(home.path() + "/data/tiny"));
  CHECK(home.run({"up", "tiny.toml"}).code == 0);
  const auto log = server.log();
  REQUIRE(log.size() == 2);
  CHECK(log[1].at("range").is_string());
}

TEST_CASE("start: reload fetches before it stops anything") {
  const Server server;
  const Home home;
  const auto digest = put_hello(server);
  const auto local = "[[disk]]\nname = \"root\"\nimage = \"builtin:hello\"\n";
  const auto rest =
      "[machine]\nmemory = \"16 MiB\"\n[[network]]\nmode = \"none\"\n[display]\ntype = \"none\"\n"
      "[ready]\nwhen = \"serial:hello from qlaunch\"\n";
  home.write("tiny.toml", std::string(local) + rest);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto second = [&](const std::string& path) {
    return std::string(local) +
           "[[disk]]\nname = \"data\"\nimage = \"tiny\"\n[[image]]\nname = "
           "\"tiny\"\nurl = \"" +
           server.url(path) + "\"\nsha512 = \"" + digest + "\"\n" + rest;
  };
  home.write("tiny.toml", second("plain/nothing"));
  CHECK(home.run({"reload", "tiny"}).code == 1);
  CHECK(home.run({"status", "tiny", "--get", "state"}).out == "running\n");
  home.write("tiny.toml", second("plain/hello.img.xz"));
  const auto reload = home.run({"reload", "tiny"});
  INFO(reload.err);
  CHECK(reload.code == 0);
  CHECK(home.run({"status", "tiny", "--get", "state"}).out == "running\n");
}

TEST_CASE("start: a service manager hears that a download goes on") {
  const Server server;
  Home home;
  const auto digest = put_hello(server);
  const auto address = home.file("notify");
  const qlaunch::UniqueFd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  REQUIRE(address.size() < sizeof name.sun_path);
  std::copy(address.begin(), address.end(), name.sun_path);
  REQUIRE(bind(manager.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  fs::permissions(address, fs::perms{0777});
  home.environment = {"NOTIFY_SOCKET=" + address};
  home.write("tiny.toml", profile(server.url("slow/hello.img.xz?rate=1000"), digest));
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  std::string heard;
  REQUIRE(test::eventually([&] {
    std::array<char, 4096> text{};
    ssize_t got = 0;
    while ((got = recv(manager.get(), text.data(), text.size(), MSG_DONTWAIT)) > 0)
      heard.append(text.data(), static_cast<std::size_t>(got)) += '\n';
    return contains(heard, "READY=1");
  }));
  INFO(heard);
  CHECK(contains(heard, "STATUS=fetching tiny"));
  CHECK(contains(heard, "EXTEND_TIMEOUT_USEC=120000000"));
  CHECK(heard.find("fetching") < heard.find("READY=1"));
  kill(up.id.pid, SIGTERM);
  const auto end = qlaunch::reap(up, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  CHECK(end == 0);
}
