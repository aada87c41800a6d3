// SPDX-License-Identifier: MIT
// `up --foreground`: what a service manager hears, what signals do, and what its end tells.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using fault::pid;
using fault::status;
using fault::Who;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// The manager's end of a notify socket.
class Manager {
 public:
  explicit Manager(const std::string& address)
      : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    REQUIRE(address.size() < sizeof name.sun_path);
    std::memcpy(name.sun_path, address.data(), address.size());
    if (address[0] == '@') name.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), length) == 0);
    if (address[0] != '@') chmod(address.c_str(), 0777);
  }

  /// All words so far, with this one among them, once it has come.
  bool heard(const std::string& word) {
    return eventually(
        [&] {
          std::array<char, 4096> text{};
          ssize_t got = 0;
          while ((got = recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT)) > 0)
            words.emplace_back(text.data(), static_cast<std::size_t>(got));
          return has(word);
        },
        std::chrono::seconds(30));
  }
  bool has(const std::string& word) const {
    for (const auto& each : words) {
      if (contains(each, word)) return true;
    }
    return false;
  }

  std::vector<std::string> words;

 private:
  qlaunch::UniqueFd socket_;
};

std::string out_of(const Home& home) {
  return qlaunch::read_file(home.path() + "/out");
}
std::string err_of(const Home& home) {
  return qlaunch::read_file(home.path() + "/err");
}

/// The profile with another `[ready]`.
std::string never_ready(const std::string& timeout) {
  const auto text = fault::tiny();
  return text.substr(0, text.find("[ready]")) +
         "[ready]\nwhen = \"serial:never said\"\ntimeout = \"" + timeout + "\"\n";
}

}  // namespace

TEST_CASE("a service manager hears that the VM is ready, and that it stops") {
  Home home;
  std::string address;
  SUBCASE("by a path") {
    address = home.file("notify");
  }
  SUBCASE("in the abstract namespace") {
    address = "@qlaunch-test-" + std::to_string(getpid());
  }
  Manager manager(address);
  home.environment = {"NOTIFY_SOCKET=" + address};
  home.write("tiny.toml", fault::tiny() + "[shutdown]\ntimeout = \"40s\"\n");
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(manager.heard("READY=1"));
  CHECK(manager.has("EXTEND_TIMEOUT_USEC="));
  CHECK(manager.has("STATUS=tiny is ready"));
  CHECK_FALSE(manager.has("STOPPING=1"));
  // Nobody else speaks there.
  for (const auto who : {Who::keeper, Who::qemu})
    CHECK_FALSE(contains(qlaunch::read_file("/proc/" + std::to_string(pid(home, who)) + "/environ"),
                         "NOTIFY_SOCKET"));
  CHECK(contains(home.run({"log", "tiny"}).out, "hello from qlaunch"));
  kill(up.id.pid, SIGTERM);
  CHECK(fault::code_of(up) == 0);
  CHECK(manager.heard("STOPPING=1"));
  CHECK(manager.has("EXTEND_TIMEOUT_USEC=75000000"));
  CHECK(manager.heard("STATUS=the guest powered off, as SIGTERM asked"));
  CHECK(contains(out_of(home), "tiny: the guest powered off, as SIGTERM asked"));
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
  CHECK(status(home, "tiny")["last_end"]["reason"] == "host-shutdown");
}

TEST_CASE("a guest that is not ready in time is no ready service, and goes on") {
  Home home;
  Manager manager(home.file("notify"));
  home.environment = {"NOTIFY_SOCKET=" + home.file("notify")};
  home.write("tiny.toml", never_ready("300ms"));
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(manager.heard("STATUS=not ready"));
  CHECK_FALSE(manager.has("READY=1"));
  CHECK(fault::ask(home, "tiny").state == "running");
  kill(up.id.pid, SIGTERM);
  CHECK(fault::code_of(up) == 0);
  CHECK_FALSE(manager.has("READY=1"));
}

TEST_CASE("the exit code of a foreground run tells how it ended") {
  Home home;
  int code = 0;
  std::string text;
  SUBCASE("the guest powered off") {
    home.write("tiny.toml", fault::tiny());
    const auto up = home.start({"up", "--foreground", "tiny.toml"});
    REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
    CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
    code = fault::code_of(up);
    CHECK(code == 0);
    text = "the guest powered off";
  }
  SUBCASE("QEMU was killed") {
    home.write("tiny.toml", fault::tiny());
    const auto up = home.start({"up", "--foreground", "tiny.toml"});
    REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
    fault::kill_for_sure(pid(home, Who::qemu));
    code = fault::code_of(up);
    CHECK(code == 1);
    text = "SIGKILL";
  }
  SUBCASE("the guest did not obey") {
    home.write("tiny.toml", fault::deaf("300ms"));
    const auto up = home.start({"up", "--foreground", "tiny.toml"});
    REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
    kill(up.id.pid, SIGTERM);
    code = fault::code_of(up);
    CHECK(code == 4);
    text = "did not power off in time";
    CHECK(status(home, "tiny")["last_end"]["reason"] == "host-shutdown-timeout");
  }
  SUBCASE("it was launched by another command") {
    home.write("tiny.toml", fault::tiny());
    REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
    const auto up = home.start({"up", "--foreground", "tiny.toml"});
    REQUIRE(eventually([&] { return contains(out_of(home), "already runs"); }));
    CHECK(home.run({"kill", "tiny"}).code == 0);
    CHECK(fault::code_of(up) == 0);
    text = "ended by `quit`";
  }
  CHECK_MESSAGE(contains(out_of(home), text), out_of(home));
  CHECK(home.processes().empty());
}

TEST_CASE("Ctrl-C in the foreground asks the guest, and once more ends it") {
  Home home;
  home.write("tiny.toml", fault::deaf("50s"));
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
  const auto begin = std::chrono::steady_clock::now();
  kill(up.id.pid, SIGINT);
  REQUIRE(eventually([&] { return contains(err_of(home), "Ctrl-C again ends it at once"); }));
  // One that comes at once is the same Ctrl-C, passed on by a wrapper.
  kill(up.id.pid, SIGINT);
  // The guest goes on: it does not hear its power button.
  REQUIRE(eventually([&] { return fault::events(home, "tiny", "POWERDOWN").size() == 1; }));
  CHECK(fault::ask(home, "tiny").state == "running");
  while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(700))
    poll(nullptr, 0, 50);
  kill(up.id.pid, SIGINT);
  CHECK(fault::code_of(up) != 0);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
  CHECK(home.processes().empty());
  CHECK(home.runtime_files().empty());
}

TEST_CASE("Ctrl-C while a foreground VM is waited for stops it, too") {
  Home home;
  home.write("tiny.toml", never_ready("100s"));
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(eventually([&] { return contains(home.run({"log", "tiny"}).out, "hello from"); }));
  kill(up.id.pid, SIGINT);
  CHECK(fault::code_of(up) == 0);
  CHECK(home.processes().empty());
  CHECK(status(home, "tiny")["last_end"]["text"] == "the guest powered off, as SIGINT asked");
}

TEST_CASE("a foreground run replaces its keeper itself, and can still be stopped") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
  fault::kill_for_sure(pid(home, Who::keeper));
  CHECK(pid(home, Who::keeper) > 1);
  REQUIRE(eventually([&] { return fault::events(home, "tiny", "WATCHING_AGAIN").size() == 1; }));
  kill(up.id.pid, SIGTERM);
  CHECK(fault::code_of(up) == 0);
  CHECK(home.processes().empty());
}

TEST_CASE("a VM goes on when its foreground command is killed") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  const auto up = home.start({"up", "--foreground", "tiny.toml"});
  REQUIRE(eventually([&] { return contains(out_of(home), "tiny runs"); }));
  kill(up.id.pid, SIGKILL);
  fault::code_of(up);
  fault::expect_truth(home, "tiny");
  CHECK(fault::ask(home, "tiny").state == "running");
}

TEST_CASE("systemd accepts the example unit") {
  const std::string unit =
      std::string(std::getenv("QLAUNCH_EXAMPLES")) + "/systemd/qlaunch@.service";
  auto text = qlaunch::read_file(unit);
  REQUIRE(contains(text, "\nExecStart=qlaunch up --foreground %i\n"));
  if (qlaunch::find_program("systemd-analyze").empty()) {
    MESSAGE("[skip] the example unit: systemd-analyze is not installed");
    return;
  }
  const Home home;
  // Where qlaunch is installed is not for this test to say.
  text.replace(text.find("ExecStart=qlaunch"), 17, "ExecStart=/bin/true");
  const auto copy = home.write("qlaunch@.service", text);
  const auto verdict = qlaunch::run_and_capture({"systemd-analyze", "verify", copy});
  CHECK_MESSAGE(verdict.ok(), verdict.out << verdict.err);
  CHECK(verdict.err.empty());
}
