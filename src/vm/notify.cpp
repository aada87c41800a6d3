// SPDX-License-Identifier: MIT
#include "vm/notify.hpp"

#include "host/files.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

namespace qlaunch {

Notifier Notifier::from_environment() {
  const char* address = std::getenv("NOTIFY_SOCKET");
  if (address == nullptr || *address == '\0') return {};
  Notifier notifier{address};
  unsetenv("NOTIFY_SOCKET");
  return notifier;
}

void Notifier::status(std::string_view text) const {
  std::string line = "STATUS=" + std::string(text);
  // A line break would begin another assignment.
  std::replace(line.begin(), line.end(), '\n', ' ');
  send(line);
}

void Notifier::extend(Duration time) const {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(microseconds));
}

void Notifier::send(const std::string& text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (address_.empty() || (address_[0] != '/' && address_[0] != '@') ||
      address_.size() > sizeof address.sun_path)
    return;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address_[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  // An abstract name ends with its length, and not with a zero.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  if (sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), length) < 0)
    return;
}

}  // namespace qlaunch
