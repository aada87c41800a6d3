// SPDX-License-Identifier: MIT
#include "socket.hpp"

#include "qmp/error.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace qmp {
namespace {

[[noreturn]] void cannot_connect(const std::filesystem::path& path, int error) {
  const auto cause = std::generic_category().message(error);
  throw Gone("cannot connect to `" + path.string() + "`: " + cause, cause);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// A full queue makes connect() wait, and the send timeout is what bounds that wait.
void limit_connect(int fd, Deadline deadline) {
  const int millis = deadline.poll_timeout();
  timeval limit{};
  if (millis >= 0) {
    limit.tv_sec = millis / 1000;
    limit.tv_usec = 1000L * (millis % 1000);
    if (millis == 0) limit.tv_usec = 1;  // 0 would mean no limit
  }
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

void prepare(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot use the descriptor");
  }
}

Fd connect_unix(const std::filesystem::path& path, Deadline deadline) {
  std::string name = path.string();
  Fd folder;
  if (name.size() >= sizeof sockaddr_un{}.sun_path) {
    // The address holds 107 bytes; through an open folder any path is short.
    const auto parent = path.parent_path();
    folder = Fd(::open(parent.empty() ? "." : parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) cannot_connect(path, errno);
    name = "/proc/self/fd/" + std::to_string(folder.get()) + "/" + path.filename().string();
    if (name.size() >= sizeof sockaddr_un{}.sun_path) cannot_connect(path, ENAMETOOLONG);
  }
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) cannot_connect(path, errno);
  const auto address = address_of(name);
  int result = 0;
  do {
    limit_connect(fd.get(), deadline);
    result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result < 0 && errno == EINTR && !deadline.passed());
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
    throw Busy("`" + path.string() +
               "` accepts no connection: other clients hold it or wait for it already");
  }
  if (result < 0) cannot_connect(path, errno);
  prepare(fd.get());
  return fd;
}

const char* no_greeting() {
  return "no QMP greeting came in time: a QMP socket serves one client at a time, "
         "and another program may be holding it";
}

const char* no_negotiation() {
  return "the capability negotiation was not answered in time";
}

}  // namespace qmp
