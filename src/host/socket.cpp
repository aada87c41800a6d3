// SPDX-License-Identifier: MIT
#include "host/socket.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace qlaunch {

namespace {

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() > longest_socket_path) {
    throw Error("the socket path " + in_backticks(path) + " is " + std::to_string(path.size()) +
                " bytes long; a socket's path has 1 to " + std::to_string(longest_socket_path))
        .help("set QLAUNCH_HOME to a folder with a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd unix_socket(int flags) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) throw system_error("cannot make a socket", errno);
  return fd;
}

int bind_to(const UniqueFd& fd, const sockaddr_un& address) {
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                            : errno;
}

/// Throws unless what is at the path is a socket of this user's that nobody listens on.
void remove_stale(const std::string& path, const std::string& what) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw system_error(what, errno);
  }
  if (!S_ISSOCK(status.st_mode)) throw Error(what + ": something else is there");
  if (status.st_uid != ::geteuid()) throw Error(what + ": another user's socket is there");
  int error = 0;
  if (try_connect_unix(path, &error) || error == EAGAIN) {
    throw Error(what + ": another process listens there");
  }
  if (error != ECONNREFUSED && error != ENOENT) throw system_error(what, error);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw system_error(what, errno);
}

/// Whether a socket bound to exactly this path listens, asked of the kernel: to connect would take
/// the one connection that virtiofsd and swtpm accept.
bool listened_on(const std::string& path) {
  const auto table = try_read_file("/proc/net/unix", std::size_t{64} << 20);
  if (!table) return true;                    // without /proc there is nothing better than to go on
  constexpr unsigned long accepts = 0x10000;  // __SO_ACCEPTCON
  for (auto at = table->find(path); at != std::string::npos; at = table->find(path, at + 1)) {
    const auto end = at + path.size();
    if (end < table->size() && (*table)[end] != '\n') continue;
    const auto line_start = table->rfind('\n', at) + 1;  // npos + 1 is the text's start
    // Num RefCount Protocol Flags Type St Inode Path
    std::vector<std::string> fields;
    for (auto& field : split(std::string_view(*table).substr(line_start, at - line_start), ' ')) {
      if (!field.empty()) fields.push_back(std::move(field));
    }
    if (fields.size() == 7 && (std::strtoul(fields[3].c_str(), nullptr, 16) & accepts) != 0) {
      return true;
    }
  }
  return false;
}

bool is_socket(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

UniqueFd listen_unix(const std::string& path, int backlog) {
  const sockaddr_un address = unix_address(path);
  const std::string what = "cannot listen on " + in_backticks(path);
  UniqueFd fd = unix_socket(0);
  // The file gets the mode that the socket has at bind: never open to others, whatever the umask.
  if (::fchmod(fd.get(), 0600) != 0) throw system_error(what, errno);
  int error = bind_to(fd, address);
  if (error == EADDRINUSE) {
    remove_stale(path, what);
    error = bind_to(fd, address);
  }
  if (error != 0) throw system_error(what, error);
  if (::listen(fd.get(), backlog) != 0) {
    const int failure = errno;
    ::unlink(path.c_str());
    throw system_error(what, failure);
  }
  return fd;
}

UniqueFd try_connect_unix(const std::string& path, int* error) {
  const sockaddr_un address = unix_address(path);
  // Where the queue of the listener is full, a blocking connect would wait without end.
  UniqueFd fd = unix_socket(SOCK_NONBLOCK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (error != nullptr) *error = errno;
    return {};
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
    throw system_error("cannot use the socket " + in_backticks(path), errno);
  }
  return fd;
}

UniqueFd connect_unix(const std::string& path) {
  int error = 0;
  UniqueFd fd = try_connect_unix(path, &error);
  if (fd) return fd;
  if (error == EAGAIN) {
    throw Error("cannot connect to " + in_backticks(path) +
                ": it has as many connections waiting as it takes");
  }
  throw system_error("cannot connect to " + in_backticks(path), error);
}

bool wait_for_socket(const std::string& path, int pidfd,
                     std::chrono::steady_clock::time_point deadline) {
  using namespace std::chrono;
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const auto slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  if (!watch ||
      ::inotify_add_watch(watch.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0) {
    throw system_error("cannot wait for the socket " + in_backticks(path), errno);
  }
  for (;;) {
    const bool bound = is_socket(path);
    if (bound && listened_on(path)) return true;
    const auto left = ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    // Nothing tells of the listen() that follows the bind() at once.
    const auto wait = bound ? std::min<long long>(left, 1) : std::min<long long>(left, 1 << 30);
    std::array<pollfd, 2> entries{{{.fd = watch.get(), .events = POLLIN, .revents = 0},
                                   {.fd = pidfd, .events = POLLIN, .revents = 0}}};
    ::poll(entries.data(), entries.size(), static_cast<int>(wait));
    if (entries[1].revents != 0) return false;
    std::array<char, 4096> events;
    while (::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

}  // namespace qlaunch
