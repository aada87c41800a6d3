// SPDX-License-Identifier: MIT
// Full disks, taken ports, sockets that are gone, a QEMU that is frozen.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using fault::pid;
using fault::pids;
using fault::status;
using fault::Who;
using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace fs = std::filesystem;

namespace {

/// A folder of the home on a file system of its own, with little room.
class SmallDisk {
 public:
  SmallDisk(const Home& home, const std::string& folder) : path_(home.path() + '/' + folder) {
    fs::create_directory(path_);
    const auto options = "size=2m,mode=0700,uid=" + std::to_string(test::user()) +
                         ",gid=" + std::to_string(test::user());
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }

  void fill() const {
    std::ofstream file(path_ + "/fills the disk", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void make_room() const { fs::remove(path_ + "/fills the disk"); }

 private:
  std::string path_;
  bool mounted_ = false;
};

/// Mounting takes root; elsewhere a limit on the size of files stands in (failure_test.cpp).
bool cannot_mount(const SmallDisk& disk) {
  if (disk.mounted()) return false;
  MESSAGE("[skip] a full disk: no file system can be mounted here");
  return true;
}

/// A TCP port of 127.0.0.1 that this test holds.
class HeldPort {
 public:
  HeldPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(socket_.get(), 1) == 0);
    socklen_t length = sizeof address;
    REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    number_ = ntohs(address.sin_port);
  }
  std::string number() const { return std::to_string(number_); }
  void let_go() { socket_.reset(); }

 private:
  qlaunch::UniqueFd socket_;
  int number_ = 0;
};

}  // namespace

TEST_CASE("a launch onto a full disk fails, says so, and leaves nothing; later it works") {
  Home home;
  std::string folder;
  SUBCASE("where disks and the record are kept") {
    folder = "data";
  }
  SUBCASE("where sockets are") {
    folder = "run";
  }
  SUBCASE("where the logs are") {
    folder = "state";
  }
  CAPTURE(folder);
  const SmallDisk disk(home, folder);
  if (cannot_mount(disk)) return;
  home.write("tiny.toml", fault::tiny());
  disk.fill();
  // What the guest says cannot be waited for where it cannot be written down.
  const auto up = home.run({"up", "tiny.toml", "--no-wait"});
  if (up.code != 0) {
    CHECK(up.code == 1);
    CHECK_MESSAGE(contains(up.err, "No space left on device"), up.err);
    CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)));
  }
  fault::expect_truth(home, "tiny");
  disk.make_room();
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a disk that fills up does not end what runs, and it can be stopped") {
  Home home;
  std::string folder;
  SUBCASE("where disks and the record are kept") {
    folder = "data";
  }
  SUBCASE("where sockets are") {
    folder = "run";
  }
  SUBCASE("where the logs are") {
    folder = "state";
  }
  CAPTURE(folder);
  const SmallDisk disk(home, folder);
  if (cannot_mount(disk)) return;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  disk.fill();
  fault::expect_truth(home, "tiny");
  CHECK(fault::ask(home, "tiny").state == "running");
  SUBCASE("with its keeper") {}
  SUBCASE("and its keeper is killed") {
    fault::kill_for_sure(pid(home, Who::keeper));
    CHECK(fault::ask(home, "tiny").state == "running");
  }
  const auto stopped = home.run({"shutdown", "tiny", "--timeout", "60s"});
  CHECK_MESSAGE(stopped.code == 0, stopped.err);
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)));
  CHECK(fault::ask(home, "tiny").state == "stopped");
  disk.make_room();
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a port that is taken stops the launch, and it works when the port is free") {
  Home home;
  HeldPort port;
  const auto body = fault::tiny();
  home.write("tiny.toml", body.substr(0, body.find("[[network]]")) + "[[network]]\nforward = [\"" +
                              port.number() + ":22\"]\n");
  const auto up = home.run({"up", "tiny.toml"});
  CHECK(up.code == 1);
  // Who has it, only its own user may see (failure_test.cpp).
  CHECK_MESSAGE(contains(up.err, "port 127.0.0.1:" + port.number() + " is taken"), up.err);
  CHECK(home.processes().empty());
  port.let_go();
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("two VMs that want one port: one gets it, the other says why it does not") {
  Home home;
  HeldPort port;
  const auto body = fault::tiny();
  home.write("tiny.toml", body.substr(0, body.find("[[network]]")) + "[[network]]\nforward = [\"" +
                              port.number() + ":22\"]\n");
  port.let_go();
  const auto first = home.start({"up", "tiny.toml", "--name", "one"});
  const auto second = home.start({"up", "tiny.toml", "--name", "two"});
  const int codes = fault::code_of(first) * 10 + fault::code_of(second);
  CHECK((codes == 1 || codes == 10));
  CHECK(pids(home, Who::qemu).size() == 1);
  CHECK(pids(home, Who::keeper).size() == 1);
}

TEST_CASE("a socket that is gone is told, and the VM can be ended") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto sockets = home.runtime_files();
  SUBCASE("that of the commands") {
    for (const auto& file : sockets) {
      if (contains(file, "/qmp") && fs::is_socket(file)) fs::remove(file);
    }
    const auto facts = status(home, "tiny");
    REQUIRE(facts["problems"].size() == 1);
    CHECK(contains(facts["problems"][0], "is gone"));
  }
  SUBCASE("that of the keeper") {
    for (const auto& file : sockets) {
      if (contains(file, "keeper")) fs::remove(file);
    }
  }
  SUBCASE("that of the keeper, and then the keeper is killed") {
    for (const auto& file : sockets) {
      if (contains(file, "keeper")) fs::remove(file);
    }
    fault::kill_for_sure(pid(home, Who::keeper));
    CHECK(fault::ask(home, "tiny").state == "running");
    CHECK(status(home, "tiny")["unwatched"]["until"].is_null());
    // It cannot hear events any more, but it can still have the guest power off.
    kill(pid(home, Who::keeper), SIGTERM);
    CHECK(eventually([&] { return home.processes().empty(); }));
    CHECK(fault::ask(home, "tiny").state == "stopped");
    CHECK(home.runtime_files().empty());
    fault::expect_recovery(home, "tiny.toml", "tiny");
    return;
  }
  SUBCASE("all of them") {
    for (const auto& file : sockets) {
      if (fs::is_socket(file)) fs::remove(file);
    }
  }
  CHECK(fault::ask(home, "tiny").seconds < 2.0);
  CHECK(pids(home, Who::qemu).size() == 1);
  // Without the commands' own socket the keeper passes it on.
  CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)));
  CHECK(fault::ask(home, "tiny").state == "stopped");
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a QEMU that is frozen is told within two seconds, and can be ended") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int qemu = pid(home, Who::qemu);
  kill(qemu, SIGSTOP);
  const auto truth = fault::ask(home, "tiny");
  CHECK(truth.state == "unresponsive");
  CHECK(truth.seconds < 2.5);
  SUBCASE("by kill") {
    CHECK(home.run({"kill", "tiny"}).code == 0);
  }
  SUBCASE("by force") {
    CHECK(home.run({"shutdown", "tiny", "--timeout", "500ms"}).code == 4);
    CHECK(qlaunch::alive(*qlaunch::identify(qemu)));
    CHECK(home.run({"shutdown", "tiny", "--timeout", "500ms", "--force"}).code == 0);
  }
  SUBCASE("it thaws") {
    kill(qemu, SIGCONT);
    CHECK(eventually([&] { return fault::ask(home, "tiny").state == "running"; }));
    CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  }
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)));
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a keeper that is frozen is in nobody's way") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int keeper = pid(home, Who::keeper);
  kill(keeper, SIGSTOP);
  fault::expect_truth(home, "tiny");
  fault::kill_for_sure(pid(home, Who::qemu));
  CHECK(fault::ask(home, "tiny").state == "stopped");
  kill(keeper, SIGCONT);
  CHECK(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)));
  CHECK(contains(status(home, "tiny")["last_end"]["text"], "SIGKILL"));
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("Ctrl-C is heard at every step of a launch, and a second one leaves no orphans") {
  Home home;
  home.write("tiny.toml", fault::with_helper());
  std::string step;
  // Whoever is to come forward does not: a helper that hangs looks like this.
  for (const auto* each :
       {"keeper-born", "helper-started", "helper-ready", "qemu-started", "run-recorded"}) {
    SUBCASE(each) {
      step = each;
    }
  }
  CAPTURE(step);
  home.environment = {"QLAUNCH_TEST_STOP_AT=" + step};
  const auto up = home.start({"up", "tiny.toml"});
  REQUIRE(fault::stopped_at_step(home) > 1);
  const auto begin = std::chrono::steady_clock::now();
  for (int twice = 0; twice < 2; ++twice) kill(up.id.pid, SIGINT);
  CHECK(fault::code_of(up) == 130);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  CHECK(contains(qlaunch::read_file(home.path() + "/err"), "the launch was undone"));
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
  CHECK_FALSE(fs::exists(home.path() + "/data/tiny"));
  home.environment.clear();
}
