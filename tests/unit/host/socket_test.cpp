// SPDX-License-Identifier: MIT
#include "host/socket.hpp"

#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "scratch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace qlaunch;
using namespace std::chrono_literals;
using test::contains;
using test::error_of;
using test::Folder;
using test::in;

namespace {

struct Bound {
  UniqueFd fd;
  std::uint16_t port = 0;
};

/// A socket on a port that the kernel chooses.
Bound bound(int family, int type, const char* address, bool listening, bool v6only = false) {
  Bound result;
  result.fd.reset(::socket(family, type | SOCK_CLOEXEC, 0));
  const int yes = 1;  // as QEMU and every server does
  if (type == SOCK_STREAM) {
    ::setsockopt(result.fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  }
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (family == AF_INET) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
    ipv4.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &ipv4.sin_addr);
    length = sizeof ipv4;
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
    ipv6.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, address, &ipv6.sin6_addr);
    length = sizeof ipv6;
    const int only = v6only ? 1 : 0;
    ::setsockopt(result.fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(result.fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
      (listening && ::listen(result.fd.get(), 1) != 0)) {
    result.fd.reset();
    return result;
  }
  ::getsockname(result.fd.get(), reinterpret_cast<sockaddr*>(&storage), &length);
  result.port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in&>(storage).sin_port
                                        : reinterpret_cast<sockaddr_in6&>(storage).sin6_port);
  return result;
}

}  // namespace

TEST_CASE("a listening socket is private from the start and not inherited") {
  const Folder folder;
  const mode_t before = ::umask(0);
  const UniqueFd listener = listen_unix(folder / "s");
  ::umask(before);
  CHECK(test::mode_of(folder / "s") == 0600);
  CHECK((::fcntl(listener.get(), F_GETFD) & FD_CLOEXEC) != 0);
  const UniqueFd client = connect_unix(folder / "s");
  CHECK((::fcntl(client.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(client.get(), F_GETFL) & O_NONBLOCK) == 0);
  const UniqueFd server(::accept(listener.get(), nullptr, nullptr));
  REQUIRE(server);
  CHECK(::write(client.get(), "x", 1) == 1);
  char word = 0;
  CHECK(::read(server.get(), &word, 1) == 1);
}

TEST_CASE("what a dead listener left is replaced; nothing else is") {
  const Folder folder;
  listen_unix(folder / "s");  // closed at once, its file stays
  CHECK(contains(error_of([&] { connect_unix(folder / "s"); }), "Connection refused"));
  const UniqueFd listener = listen_unix(folder / "s");
  CHECK(connect_unix(folder / "s"));
  CHECK(contains(error_of([&] { listen_unix(folder / "s"); }), "another process listens there"));
  CHECK(connect_unix(folder / "s"));

  const auto file = folder.write("file", "precious");
  CHECK(contains(error_of([&] { listen_unix(file); }), "something else is there"));
  CHECK(read_file(file) == "precious");
  REQUIRE(::symlink("s", (folder / "link").c_str()) == 0);
  CHECK(contains(error_of([&] { listen_unix(folder / "link"); }), "something else is there"));
}

TEST_CASE("a listener with a full queue is busy, not gone, and nobody waits for it") {
  const Folder folder;
  const UniqueFd listener = listen_unix(folder / "s", 0);
  std::vector<UniqueFd> clients;
  int error = 0;
  for (int i = 0; i < 10 && error == 0; ++i) {
    clients.push_back(try_connect_unix(folder / "s", &error));
  }
  CHECK(error == EAGAIN);
  CHECK(contains(error_of([&] { connect_unix(folder / "s"); }), "as many connections waiting"));
  CHECK(contains(error_of([&] { listen_unix(folder / "s"); }), "another process listens there"));
}

TEST_CASE("the longest path that fits, and one byte more") {
  const Folder folder;
  const std::string fits =
      folder / std::string(longest_socket_path - folder.path().size() - 1, 'x');
  const UniqueFd listener = listen_unix(fits);
  CHECK(connect_unix(fits));
  CHECK(contains(error_of([&] { listen_unix(fits + "x"); }), "is 108 bytes long"));
  CHECK(contains(error_of([&] { connect_unix(fits + "x"); }), "is 108 bytes long"));
}

TEST_CASE("wait_for_socket sees a listener come without connecting to it") {
  const Folder folder;
  CHECK_FALSE(wait_for_socket(folder / "s", -1, in(10ms)));
  UniqueFd listener;
  std::thread later([&] {
    std::this_thread::sleep_for(50ms);
    listener = listen_unix(folder / "s");
  });
  CHECK(wait_for_socket(folder / "s", -1, in(10s)));
  later.join();
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  CHECK(::accept(listener.get(), nullptr, nullptr) == -1);
  CHECK(errno == EAGAIN);
  listener.reset();
  CHECK_FALSE(wait_for_socket(folder / "s", -1, in(10ms)));  // the file alone is not enough
}

TEST_CASE("wait_for_socket tells a bound socket from a listening one") {
  const Folder folder;
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, (folder / "s").c_str());
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK_FALSE(wait_for_socket(folder / "s", -1, in(20ms)));
  REQUIRE(::listen(fd.get(), 1) == 0);
  CHECK(wait_for_socket(folder / "s", -1, in(10s)));
}

TEST_CASE("wait_for_socket ends with the process that would have made it") {
  const Folder folder;
  SpawnOptions options;
  options.argv = {"true"};
  const Child child = spawn(options);
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(wait_for_socket(folder / "s", child.pidfd.get(), in(60s)));
  CHECK(std::chrono::steady_clock::now() - start < 30s);
  reap(child, in(10s));
}

TEST_CASE("a taken TCP port is not free, and its owner is named") {
  const auto taken = bound(AF_INET, SOCK_STREAM, "127.0.0.1", true);
  REQUIRE(taken.fd);
  CHECK_FALSE(port_free(Protocol::tcp, "127.0.0.1", taken.port));
  CHECK_FALSE(port_free(Protocol::tcp, "", taken.port));
  CHECK_FALSE(port_free(Protocol::tcp, "0.0.0.0", taken.port));
  CHECK(port_free(Protocol::tcp, "127.0.0.2", taken.port));
  CHECK(port_free(Protocol::udp, "127.0.0.1", taken.port));
  for (const char* address : {"127.0.0.1", "", "0.0.0.0"}) {
    const auto owner = port_owner(Protocol::tcp, address, taken.port);
    REQUIRE(owner);
    CHECK(owner->pid == ::getpid());
    CHECK(owner->program == "unit_host");
  }
  CHECK_FALSE(port_owner(Protocol::tcp, "127.0.0.2", taken.port));
  CHECK_FALSE(port_owner(Protocol::udp, "127.0.0.1", taken.port));
}

TEST_CASE("who listens everywhere has the port on every address") {
  const auto taken = bound(AF_INET, SOCK_STREAM, "0.0.0.0", true);
  CHECK_FALSE(port_free(Protocol::tcp, "127.0.0.1", taken.port));
  CHECK(port_owner(Protocol::tcp, "127.0.0.1", taken.port));
}

TEST_CASE("so has who listens everywhere by IPv6") {
  const auto both = bound(AF_INET6, SOCK_STREAM, "::", true);
  if (!both.fd) return test::skip("no IPv6 here");
  CHECK_FALSE(port_free(Protocol::tcp, "127.0.0.1", both.port));
  const auto owner = port_owner(Protocol::tcp, "127.0.0.1", both.port);
  REQUIRE(owner);
  CHECK(owner->pid == ::getpid());
  const auto other = bound(AF_INET6, SOCK_STREAM, "::1", true);
  CHECK(port_free(Protocol::tcp, "127.0.0.1", other.port));
  CHECK_FALSE(port_owner(Protocol::tcp, "127.0.0.1", other.port));
}

TEST_CASE("UDP has ports of its own") {
  const auto taken = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", false);
  CHECK_FALSE(port_free(Protocol::udp, "127.0.0.1", taken.port));
  CHECK(port_free(Protocol::tcp, "127.0.0.1", taken.port));
  const auto owner = port_owner(Protocol::udp, "127.0.0.1", taken.port);
  REQUIRE(owner);
  CHECK(owner->pid == ::getpid());
}

TEST_CASE("a port is free again as soon as its listener is gone, connections or not") {
  auto listener = bound(AF_INET, SOCK_STREAM, "127.0.0.1", true);
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(listener.port);
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  UniqueFd server(::accept(listener.fd.get(), nullptr, nullptr));
  server.reset();  // closed first here: this side stays in TIME_WAIT
  listener.fd.reset();
  char word = 0;
  CHECK(::read(client.get(), &word, 1) == 0);
  ::shutdown(client.get(), SHUT_RDWR);
  CHECK(port_free(Protocol::tcp, "127.0.0.1", listener.port));
}

TEST_CASE("addresses that cannot be used are told") {
  CHECK(error_of([] { port_free(Protocol::tcp, "192.0.2.1", 40000); }) ==
        "this host has no address `192.0.2.1`");
  CHECK(error_of([] { port_free(Protocol::tcp, "::1", 40000); }) == "`::1` is not an IPv4 address");
  CHECK(error_of([] { port_owner(Protocol::tcp, "localhost", 1); }) ==
        "`localhost` is not an IPv4 address");
}
