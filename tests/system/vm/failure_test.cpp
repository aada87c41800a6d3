// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using test::contains;
using test::eventually;
using test::Home;

namespace {

constexpr auto tiny =
    "name = \"tiny\"\n[machine]\nmemory = \"64 MiB\"\n[[disk]]\nimage = \"builtin:hello\"\n";

/// Of the host's, as text: free a moment ago.
std::string free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return std::to_string(ntohs(address.sin_port));
}

void expect_nothing_left(const Home& home, const std::string& vm) {
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/" + vm));
  CHECK(home.run({"list", "-q"}).out.empty());
}

}  // namespace

TEST_CASE("a QEMU that dies at the start tells why, and leaves nothing behind") {
  Home home;
  home.write("tiny.toml", std::string(tiny) + "[qemu]\nargs = [\"-device\", \"nonsense\"]\n");
  const auto up = home.run({"up", "tiny.toml"});
  CHECK(up.code == 1);
  CHECK(contains(up.err, "'nonsense' is not a valid device model name"));
  CHECK(contains(up.err, "exit code 1"));
  CHECK(contains(up.err, "qlaunch args"));
  CHECK(up.out.empty());
  expect_nothing_left(home, "tiny");
}

TEST_CASE("a failed start does not take a disk that was there before") {
  Home home;
  home.write("tiny.toml", tiny);
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"kill", "tiny"}).code == 0);
  const auto disk = home.path() + "/data/tiny/root.qcow2";
  REQUIRE(std::filesystem::exists(disk));
  CHECK(home.run({"up", "tiny.toml", "--set", "qemu.args=[\"-nonsense\"]"}).code == 1);
  CHECK(std::filesystem::exists(disk));
  CHECK(home.run({"up", "tiny.toml"}).code == 0);
}

TEST_CASE("a QEMU that is missing, not executable or not QEMU is told apart") {
  Home home;
  home.write("tiny.toml", tiny);
  const auto missing = home.run({"up", "tiny.toml", "--set", "qemu.binary=qemu-system-none"});
  CHECK(missing.code == 1);
  CHECK(contains(missing.err, "qemu-system-none"));
  CHECK(contains(missing.err, "qemu-system-x86"));

  const auto script = home.write("not-executable", "#!/bin/sh\n");
  const auto closed = home.run({"up", "tiny.toml", "--set", "qemu.binary=" + script});
  CHECK(closed.code == 1);
  CHECK(contains(closed.err, "not executable"));

  const auto other = home.run({"up", "tiny.toml", "--set", "qemu.binary=/bin/true"});
  CHECK(other.code == 1);
  CHECK(contains(other.err, "QEMU"));
  expect_nothing_left(home, "tiny");
}

TEST_CASE("a port that is taken names who has it") {
  Home home;
  home.write("first.toml", std::string(tiny) + "[[network]]\nforward = [\"auto:22\"]\n");
  REQUIRE(home.run({"up", "first.toml", "--name", "first"}).code == 0);
  const auto status = nlohmann::json::parse(home.run({"status", "first", "--json"}).out);
  const auto port = std::to_string(status["forwards"][0]["host_port"].get<int>());
  home.write("second.toml", std::string(tiny) + "[[network]]\nforward = [\"" + port + ":22\"]\n");
  const auto up = home.run({"up", "second.toml", "--name", "second"});
  CHECK(up.code == 1);
  CHECK(contains(up.err, "port 127.0.0.1:" + port + " is taken by qemu-system-x86 (pid " +
                             std::to_string(status["pid"].get<int>()) + ")"));
  CHECK(contains(up.err, "second.toml:7:12"));
  CHECK(contains(up.err, "auto:22"));
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/second"));
}

TEST_CASE("two machines with one MAC address on one network are warned of") {
  Home home;
  const auto port = free_port();
  const auto profile = [&](const std::string& end) {
    return std::string(tiny) + "[[network]]\nmode = \"socket\"\nmac = \"52:54:00:11:22:33\"\n" +
           end + " = \"127.0.0.1:" + port + "\"\n";
  };
  home.write("first.toml", profile("listen"));
  home.write("second.toml", profile("connect"));
  const auto first = home.run({"up", "first.toml", "--name", "first"});
  REQUIRE(first.code == 0);
  CHECK_FALSE(contains(first.err, "MAC address"));
  const auto second = home.run({"up", "second.toml", "--name", "second"});
  CHECK(second.code == 0);
  CHECK(
      contains(second.err, "VM `first`, which runs, has the same MAC address, 52:54:00:11:22:33"));
  CHECK(contains(second.err, "second.toml:8:7"));
  // Nobody is in the way of one that does not run, and a user network has one guest only.
  REQUIRE(home.run({"kill", "first", "second"}).code == 0);
  CHECK_FALSE(contains(home.run({"up", "second.toml", "--name", "second", "--set",
                                 "network.net0.mode=user", "--set", "network.net0.connect="})
                           .err,
                       "MAC address"));
}

TEST_CASE("a guest that is not ready in time keeps running, and that is said") {
  Home home;
  home.write("tiny.toml", std::string(tiny) + "[ready]\nwhen = \"serial:never said\"\n");
  const auto up = home.run({"up", "tiny.toml", "--timeout", "1s"});
  CHECK(up.code == 4);
  CHECK(contains(up.err, "never said"));
  CHECK(contains(up.err, "goes on"));
  CHECK(home.run({"status", "tiny", "--get", "state"}).out == "running\n");
}

TEST_CASE("Ctrl-C ends the waiting, not the VM") {
  Home home;
  home.write("tiny.toml", std::string(tiny) + "[ready]\nwhen = \"serial:never said\"\n");
  const auto up = home.start({"up", "tiny.toml"});
  REQUIRE(eventually([&] {
    return home.run({"status", "tiny", "--get", "state"}).out == "running\n";
  }));
  kill(up.id.pid, SIGINT);
  const auto status = qlaunch::reap(up, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status.has_value());
  CHECK(WIFEXITED(*status));
  CHECK(WEXITSTATUS(*status) == 130);
  CHECK(contains(qlaunch::read_file(home.path() + "/err"), "goes on"));
  CHECK(home.run({"status", "tiny", "--get", "state"}).out == "running\n");
}

TEST_CASE("Ctrl-C before the guest runs undoes the launch") {
  Home home;
  // QEMU waits for somebody to connect before it makes its devices.
  const auto socket = home.file("nobody-comes");
  home.write("tiny.toml", std::string(tiny) + "[qemu]\nargs = [\"-chardev\", \"socket,id=x,path=" +
                              socket + ",server=on,wait=on\"]\n");
  const auto up = home.start({"up", "tiny.toml"});
  REQUIRE(eventually([&] { return std::filesystem::exists(socket); }));
  kill(up.id.pid, SIGINT);
  const auto status = qlaunch::reap(up, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status.has_value());
  CHECK(WIFEXITED(*status));
  CHECK(WEXITSTATUS(*status) == 130);
  CHECK(contains(qlaunch::read_file(home.path() + "/err"), "undone"));
  expect_nothing_left(home, "tiny");
}

TEST_CASE("a full disk is told, and nothing half-made stays") {
  Home home;
  // A limit on the size of files stands in for the full disk: no mount is needed for it.
  home.write("big.toml",
             "name = \"big\"\n[machine]\nmemory = \"64 MiB\"\n[[disk]]\nformat = \"raw\"\n"
             "size = \"64 MiB\"\n[[network]]\nmode = \"none\"\n");
  const auto script = home.write("limited.sh", "ulimit -f 8\nexec \"$@\"\n");
  const auto options = home.program({"/bin/sh", script, test::binary(), "up", "big.toml"});
  const auto up = qlaunch::run_and_capture(options, std::chrono::minutes(1), 1 << 20);
  CHECK(up.status != 0);
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/big"));
  CHECK(home.processes().empty());
}
