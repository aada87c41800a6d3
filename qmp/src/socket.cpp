// SPDX-License-Identifier: MIT
#include "socket.hpp"

#include "qmp/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
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

namespace {

/// Nothing where the queue stayed full.
std::optional<Fd> connect_by(const std::filesystem::path& path, Deadline deadline) {
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
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (result < 0) cannot_connect(path, errno);
  prepare(fd.get());
  return fd;
}

}  // namespace

Fd connect_unix(const std::filesystem::path& path, Deadline deadline) {
  auto fd = connect_by(path, deadline);
  if (!fd) throw Busy(queue_full(path));
  return std::move(*fd);
}

std::optional<Fd> try_connect_unix(const std::filesystem::path& path) {
  return connect_by(path, Deadline::Clock::now());
}

std::optional<Fd> try_accept_unix(int listener) {
  for (;;) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() >= 0) return fd;
    if (errno == EAGAIN) return std::nullopt;
    // A client that is gone before it was accepted is none.
    if (errno != EINTR && errno != ECONNABORTED) {
      throw std::system_error(errno, std::generic_category(), "accept");
    }
  }
}

Fd accept_unix(int listener, Deadline deadline, const std::vector<Watch>& watches) {
  std::vector<pollfd> list{{listener, POLLIN, 0}};
  for (const auto& watch : watches) list.push_back({watch.fd, POLLIN, 0});
  for (;;) {
    const int count = ::poll(list.data(), list.size(), deadline.poll_timeout());
    if (count < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "poll");
    if (count > 0 && list[0].revents != 0) {
      if (auto fd = try_accept_unix(listener)) return std::move(*fd);
    }
    for (std::size_t i = 0; count > 0 && i < watches.size(); ++i) {
      if (list[i + 1].revents == 0) continue;
      throw Gone("nobody connected: " + watches[i].cause, watches[i].cause);
    }
    if (deadline.passed()) throw Timeout(nobody_connected());
  }
}

Fd duplicate(int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (copy.get() < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot pass the descriptor");
  }
  return copy;
}

std::size_t send_some(int fd, std::string_view bytes, const std::vector<int>& fds) {
  constexpr std::size_t most_fds = 16;  // more than QEMU takes with one message
  if (fds.size() > most_fds) throw std::invalid_argument("too many descriptors for one command");
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_fds * sizeof(int))> control;
  if (!fds.empty()) {
    control.fill(0);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    const auto n = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) return 0;
    if (errno == EPIPE || errno == ECONNRESET) return bytes.size();
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "send");
  }
}

std::string queue_full(const std::filesystem::path& path) {
  return "`" + path.string() +
         "` accepts no connection: other clients hold it or wait for it already";
}

const char* no_greeting() {
  return "no QMP greeting came in time: a QMP socket serves one client at a time, "
         "and another program may be holding it";
}

const char* no_negotiation() {
  return "the capability negotiation was not answered in time";
}

const char* nobody_connected() {
  return "nobody connected in time";
}

}  // namespace qmp
