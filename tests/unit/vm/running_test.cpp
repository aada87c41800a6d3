// SPDX-License-Identifier: MIT
//
// The parts that commands on a running VM are made of, without a VM.
#include "core/error.hpp"
#include "folder.hpp"
#include "host/socket.hpp"
#include "host/spawn.hpp"
#include "vm/file_watch.hpp"
#include "vm/follow.hpp"
#include "vm/forward.hpp"
#include "vm/relay.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace qlaunch;
using test::Folder;
namespace fs = std::filesystem;

namespace {

void append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

bool readable(int fd, int milliseconds) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, milliseconds) > 0;
}

std::string all_of(GrowingFile& file) {
  std::string text;
  for (auto more = file.read_more(); !more.empty(); more = file.read_more()) text += more;
  return text;
}

}  // namespace

TEST_CASE("a forward to be removed is known by its end on the host") {
  const auto one = [](const std::string& text) {
    const auto ends = parse_host_ends(text);
    REQUIRE(ends.size() == 1);
    return ends.front();
  };
  CHECK(one("2223").port == 2223);
  CHECK(one("2223:22").port == 2223);
  CHECK(one("tcp:2223").protocol == Protocol::tcp);
  CHECK(one("udp:5353:53").protocol == Protocol::udp);
  CHECK(one("127.0.0.1:80").address == "127.0.0.1");
  CHECK(one("udp:0.0.0.0:53:53").address == "0.0.0.0");
  const auto range = parse_host_ends("65533-65535");
  REQUIRE(range.size() == 3);
  CHECK(range.back().port == 65535);
  for (const auto* wrong : {"", "x", "0", "65536", "udp", "1:2:3", "127.0.0.1", "9-8"})
    CHECK_THROWS_AS(parse_host_ends(wrong), Error);
}

TEST_CASE("a file is read on where it grows, is cut, or gives way to another") {
  const Folder folder;
  const auto path = folder.path + "/log";
  CHECK_THROWS_AS(GrowingFile{path}, Error);
  append(path, "one\n");
  GrowingFile file(path);
  CHECK(all_of(file) == "one\n");
  CHECK(all_of(file).empty());
  append(path, "two\n");
  CHECK(all_of(file) == "two\n");
  fs::resize_file(path, 0);
  append(path, "3\n");
  CHECK(all_of(file) == "3\n");
  // What came last into the old one is not lost.
  append(path, "last\n");
  fs::rename(path, path + ".1");
  append(path, "new\n");
  CHECK(all_of(file) == "last\nnew\n");
}

TEST_CASE("a watch wakes for a file that grows, appears or is made anew") {
  const Folder folder;
  const auto path = folder.path + "/log";
  FileWatch watch(path);
  CHECK_FALSE(readable(watch.fd(), 0));
  append(path, "a");
  CHECK(readable(watch.fd(), 10000));
  watch.clear();
  append(path, "b");
  CHECK(readable(watch.fd(), 10000));
  watch.clear();
  fs::rename(path, path + ".1");
  append(path, "c");
  CHECK(readable(watch.fd(), 10000));
  watch.clear();
  append(path, "d");
  CHECK(readable(watch.fd(), 10000));
  CHECK_THROWS_AS(FileWatch{folder.path + "/no/such/log"}, Error);
}

TEST_CASE(
    "a relayed socket is there for its user alone, in both directions, and goes with a process") {
  const Folder folder;
  const auto path = folder.path + "/socket";
  const auto listener = listen_unix(path);
  // Greets, and gives back what it gets, until there is no more.
  std::thread server([&] {
    for (;;) {
      const UniqueFd client(accept(listener.get(), nullptr, nullptr));
      if (!client) return;
      std::array<char, 65536> bytes{};
      if (send(client.get(), "hello", 5, MSG_NOSIGNAL) < 0) continue;
      for (;;) {
        const auto got = recv(client.get(), bytes.data(), bytes.size(), 0);
        if (got <= 0) break;
        write_all(client.get(), {bytes.data(), static_cast<std::size_t>(got)}, "the client");
      }
    }
  });
  SpawnOptions options;
  options.argv = {"sleep", "600"};
  const auto child = spawn(options);
  {
    Relay relay(path);
    std::thread serving([&] { relay.serve(child.pidfd.get()); });
    const auto port = std::to_string(relay.port());
    const std::string script = "exec 3<>/dev/tcp/127.0.0.1/" + port + "; head -c 5 <&3";
    CHECK(run_and_capture({"bash", "-c", script}).out == "hello");
    // More than all buffers on the way hold.
    const auto large =
        run_and_capture({"bash", "-c",
                         "exec 3<>/dev/tcp/127.0.0.1/" + port +
                             "; head -c 5 <&3; (head -c 3000000 /dev/zero >&3) & head -c 3000000 "
                             "<&3 | wc -c"});
    CHECK(large.out == "hello3000000\n");
    if (geteuid() == 0) {
      const auto other =
          run_and_capture({"setpriv", "--reuid=54321", "--clear-groups", "bash", "-c", script});
      CHECK(other.out.empty());
    }
    kill_and_reap(child);
    serving.join();
  }
  shutdown(listener.get(), SHUT_RDWR);
  server.join();
}
