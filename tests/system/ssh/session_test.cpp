// SPDX-License-Identifier: MIT
// `qlaunch ssh` into a Linux guest: what reaches the command, and what comes back.
#include "core/text.hpp"
#include "host/process.hpp"
#include "host/socket.hpp"
#include "ssh/parts.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace ssh_test;
using test::contains;
using test::Home;

namespace {

namespace fs = std::filesystem;

/// The first bytes that come from a port of this host; empty: nobody listens there yet.
std::string first_words(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const qlaunch::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  pollfd waiting{fd.get(), POLLIN, 0};
  poll(&waiting, 1, 5000);
  std::string words(4, '\0');
  return recv(fd.get(), words.data(), words.size(), MSG_DONTWAIT) == 4 ? words : "";
}

std::uint16_t free_port() {
  for (std::uint16_t port = 23000; port < 24000; ++port) {
    if (qlaunch::port_free(qlaunch::Protocol::tcp, "127.0.0.1", port)) return port;
  }
  FAIL("no free port");
  return 0;
}

long masters(const Home& home) {
  const auto all = home.processes();
  return std::count_if(all.begin(), all.end(),
                       [](const auto& line) { return contains(line, "ControlMaster=yes"); });
}

void check_two_at_once(const Home& home, bool shared) {
  // Nobody has been in yet, so that all of them want to make the connection.
  std::vector<std::unique_ptr<Fed>> several;
  for (int index = 0; index < 3; ++index) {
    const auto number = std::to_string(index);
    several.push_back(std::make_unique<Fed>(
        home,
        std::vector{test::binary(), std::string("ssh"), std::string("root@box"), std::string("--"),
                    "exit 1" + number},
        "at-once-" + number));
  }
  for (int index = 0; index < 3; ++index) {
    CHECK(several[static_cast<std::size_t>(index)]->end() == 10 + index);
    CHECK(several[static_cast<std::size_t>(index)]->out().empty());
  }
  CHECK(masters(home) == (shared ? 1 : 0));
  CHECK(shared_connections(home).size() == (shared ? 1 : 0));
}

void check_learned_key(const Home& home) {
  const auto known = home.path() + "/data/box/ssh/known_hosts";
  CHECK(qlaunch::read_file(known) == "qlaunch-guest " + host_key() + "\n");
  struct stat status {};
  REQUIRE(stat(known.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(!fs::exists(home.file(".ssh/known_hosts")));
}

void check_words(const Home& home) {
  const auto ssh = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"ssh", "root@box", "--"});
    return home.run(words);
  };
  for (const int code : {0, 1, 42, 125}) CHECK(ssh({"exit " + std::to_string(code)}).code == code);
  // One word is a line for the shell; several are what they are.
  CHECK(ssh({"echo $((6 * 7)) | tr 4 5"}).out == "52\n");
  CHECK(ssh({"printf", "[%s]", "a  b", "$HOME", "*", "", "it's", "-x"}).out ==
        "[a  b][$HOME][*][][it's][-x]");
  CHECK(ssh({"sh", "-c", "echo out; echo err >&2; exit 3"}).code == 3);
  const auto apart = ssh({"echo out; echo err >&2"});
  CHECK(apart.out == "out\n");
  CHECK(apart.err == "err\n");
  std::string bytes;
  for (int index = 0; index < 1 << 20; ++index)
    bytes += static_cast<char>((index * 7919 + index / 256) & 0xff);
  const auto back = home.run_with_input({"ssh", "root@box", "--", "cat"}, bytes);
  CHECK(back.code == 0);
  CHECK(back.out == bytes);
}

void check_folders(const Home& home) {
  const auto in = [&](const std::string& folder, std::vector<std::string> words) {
    words.insert(words.begin(), {test::binary(), "ssh", "root@box"});
    return run(home, words, folder);
  };
  const auto deep = home.file("work/a b");
  CHECK(in(home.file("work"), {"--", "pwd"}).out == "/work\n");
  CHECK(in(deep, {"--", "pwd"}).out == "/work/a b\n");
  CHECK(in(deep, {"--", "cat", "here"}).out == "the host's\n");
  CHECK(in(home.file(""), {"--", "pwd"}).out == "/root\n");
  CHECK(in(deep, {"--workdir", "/proc", "--", "pwd"}).out == "/proc\n");
  CHECK(in(deep, {"--workdir", ".", "--", "pwd"}).out == "/root\n");
  const auto none = in(deep, {"--workdir", "/no such", "--", "touch", "/tmp/ran"});
  CHECK(none.code == 125);
  CHECK(contains(none.err, "/no such"));
  CHECK(in(deep, {"--", "test -e /tmp/ran"}).code == 1);
}

void check_terminal(const Home& home) {
  const auto on_terminal = [&](const std::string& words, const std::string& name) {
    return std::make_unique<Fed>(
        home,
        std::vector<std::string>{"script", "-qec", test::binary() + " ssh " + words, "/dev/null"},
        name);
  };
  auto shell = on_terminal("root@box", "shell");
  shell->feed("tty; stty size; exit 7\r");
  CHECK(shell->end() == 7);
  CHECK(contains(shell->out(), "/dev/pts/"));

  auto placed = on_terminal("root@box --workdir /proc", "placed");
  placed->feed("echo in-$PWD; exit 8\r");
  CHECK(placed->end() == 8);
  CHECK(contains(placed->out(), "in-/proc"));

  CHECK(!contains(home.run({"ssh", "root@box", "--", "tty"}).out, "/dev/pts"));

  // Ctrl-C is the guest's.
  auto caught = on_terminal(
      "-t root@box -- 'trap \"echo caught; exit 9\" INT; echo st\"\"arted; "
      "sleep 100'",
      "caught");
  CHECK(test::eventually([&] { return contains(caught->out(), "started"); }));
  caught->feed("\x03");
  CHECK(caught->end() == 9);
  CHECK(contains(caught->out(), "caught"));
}

void check_signal(const Home& home) {
  Fed session(home, {test::binary(), "ssh", "root@box", "--", "echo begun; sleep 1000"}, "signal");
  CHECK(test::eventually([&] { return contains(session.out(), "begun"); }));
  // ssh itself stands in our place, whoever sends what to it.
  CHECK(qlaunch::process_name(session.pid()) == "ssh");
  CHECK(qlaunch::send_signal(session.id(), SIGTERM));
  const int code = session.end();
  CHECK_MESSAGE((code == 255 || code == 128 + SIGTERM), code);
  CHECK(home.run({"ssh", "root@box", "--", "true"}).code == 0);
}

void check_forward(const Home& home) {
  const auto port = free_port();
  Fed tunnel(
      home, {test::binary(), "ssh", "-N", "-L", std::to_string(port) + ":127.0.0.1:22", "root@box"},
      "tunnel");
  CHECK(test::eventually([&] { return first_words(port) == "SSH-"; }));
  CHECK(qlaunch::send_signal(tunnel.id(), SIGTERM));
  tunnel.end();
  // The connection that others share must not have kept it.
  CHECK(first_words(port).empty());
}

}  // namespace

TEST_CASE("a session by ssh: words, bytes, codes, terminal, folder, signals, forwards") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  home.write("work/a b/here", "the host's\n");
  fs::permissions(home.file("work"), fs::perms{0755});
  const micro::Guest guest(
      home, "box",
      recipe("[[share]]\ntag = \"work\"\npath = \"work\"\ndriver = \"9p\"\nmount = \"/work\"\n",
             "share=9p:work:/work"));
  CHECK(guest.wait("serial:micro: ready").code == 0);
  // Its server is dropbear, which cannot keep them apart.
  check_two_at_once(home, false);
  check_learned_key(home);
  check_words(home);
  check_folders(home);
  check_terminal(home);
  check_signal(home);
  check_forward(home);
  // A connection of its own, to which nobody else's matters.
  CHECK(home.run({"ssh", "--no-share", "root@box", "--", "exit 5"}).code == 5);
  CHECK(home.run({"kill", "box"}).code == 0);
}
