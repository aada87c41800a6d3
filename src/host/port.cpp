// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/process.hpp"
#include "host/socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {

namespace {

std::string shown(const std::string& address) {
  return address.empty() ? "127.0.0.1" : address;
}

in_addr parse_address(const std::string& address) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, shown(address).c_str(), &parsed) != 1) {
    throw Error(in_backticks(address) + " is not an IPv4 address")
        .help("QEMU's user network forwards from IPv4 addresses only");
  }
  return parsed;
}

/// One line of /proc/net/{tcp,udp}[6].
struct Entry {
  std::vector<std::uint32_t> address;  // 1 or 4 words in memory order
  unsigned port = 0;
  unsigned state = 0;
  std::string inode;
};

std::optional<Entry> parse_entry(const std::string& line) {
  std::vector<std::string> fields;
  for (auto& field : split(line, ' ')) {
    if (!field.empty()) fields.push_back(std::move(field));
  }
  // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
  if (fields.size() < 10) return std::nullopt;
  const auto colon = fields[1].find(':');
  if (colon == std::string::npos || colon % 8 != 0) return std::nullopt;
  const auto hex = [](const std::string& text) {
    return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 16));
  };
  Entry entry;
  for (std::size_t i = 0; i < colon; i += 8) entry.address.push_back(hex(fields[1].substr(i, 8)));
  entry.port = hex(fields[1].substr(colon + 1));
  entry.state = hex(fields[3]);
  entry.inode = fields[9];
  return entry;
}

/// Whether a socket bound to this address keeps another from being bound to `wanted`.
bool collides(const Entry& entry, in_addr wanted) {
  const std::uint32_t any = 0;
  if (entry.address.size() == 1) {
    return entry.address[0] == wanted.s_addr || entry.address[0] == any || wanted.s_addr == any;
  }
  if (entry.address.size() != 4) return false;
  const auto& words = entry.address;
  if (words[0] != 0 || words[1] != 0) return false;
  const bool mapped = words[2] == htonl(0xffff);
  if (words[2] == 0 && words[3] == 0) return true;  // :: takes IPv4 along, unless told not to
  return mapped && (words[3] == wanted.s_addr || words[3] == any || wanted.s_addr == any);
}

constexpr unsigned state_time_wait = 6;
constexpr unsigned state_listen = 10;

std::optional<Entry> find_entry(Protocol protocol, in_addr wanted, std::uint16_t port) {
  const std::string name = protocol == Protocol::tcp ? "tcp" : "udp";
  std::optional<Entry> other;
  for (const char* suffix : {"", "6"}) {
    const auto table = try_read_file("/proc/net/" + name + suffix, std::size_t{64} << 20);
    if (!table) continue;
    for (const std::string& line : split(*table, '\n')) {
      auto entry = parse_entry(line);
      if (!entry || entry->port != port || !collides(*entry, wanted)) continue;
      if (protocol == Protocol::udp || entry->state == state_listen) return entry;
      // A connection that happens to have the port as its own end.
      if (entry->state != state_time_wait && !other) other = std::move(entry);
    }
  }
  return other;
}

pid_t holder_of(const std::string& inode) {
  namespace fs = std::filesystem;
  const std::string wanted = "socket:[" + inode + "]";
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const auto pid = parse_unsigned(process.path().filename().string());
    if (!pid) continue;
    std::error_code hidden;
    fs::directory_iterator descriptors(process.path() / "fd", hidden);
    for (; !hidden && descriptors != fs::directory_iterator(); descriptors.increment(hidden)) {
      std::error_code gone;
      if (fs::read_symlink(descriptors->path(), gone) == wanted) return static_cast<pid_t>(*pid);
    }
  }
  return 0;
}

}  // namespace

std::optional<PortOwner> port_owner(Protocol protocol, const std::string& address,
                                    std::uint16_t port) {
  const auto entry = find_entry(protocol, parse_address(address), port);
  if (!entry) return std::nullopt;
  PortOwner owner;
  owner.pid = holder_of(entry->inode);
  if (owner.pid != 0) owner.program = process_name(owner.pid);
  return owner;
}

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw system_error("cannot find a free port", errno);
  return ntohs(address.sin_port);
}

bool port_free(Protocol protocol, const std::string& address, std::uint16_t port) {
  sockaddr_in wanted{};
  wanted.sin_family = AF_INET;
  wanted.sin_addr = parse_address(address);
  wanted.sin_port = htons(port);
  const bool tcp = protocol == Protocol::tcp;
  const UniqueFd fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!fd) throw system_error("cannot make a socket", errno);
  // As libslirp does it: for TCP before bind, for UDP only after it, where it changes nothing.
  const int yes = 1;
  if (tcp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&wanted), sizeof wanted) == 0 &&
      (!tcp || ::listen(fd.get(), 1) == 0)) {
    return true;
  }
  switch (errno) {
    case EADDRINUSE:
      return false;
    case EADDRNOTAVAIL:
      throw Error("this host has no address " + in_backticks(shown(address)))
          .help("use 127.0.0.1 for this host alone, or 0.0.0.0 for all of its addresses");
    case EACCES:
      throw Error("port " + std::to_string(port) + " may be used by root only")
          .help(
              "use a port from 1024 up, or allow it: sysctl "
              "net.ipv4.ip_unprivileged_port_start=" +
              std::to_string(port));
    default:
      throw system_error("cannot use port " + std::to_string(port), errno);
  }
}

}  // namespace qlaunch
