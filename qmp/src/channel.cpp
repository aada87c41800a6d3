// SPDX-License-Identifier: MIT
#include "channel.hpp"

#include <cerrno>
#include <system_error>

#include <sys/socket.h>

namespace qmp {

Channel::Channel(Fd fd, std::vector<Watch> watches)
    : fd_(std::move(fd)), watches_(std::move(watches)) {
  list_.push_back({fd_.get(), POLLIN, 0});
  for (const auto& watch : watches_) list_.push_back({watch.fd, POLLIN, 0});
}

Channel::Wake Channel::wait(bool want_output, Deadline deadline) {
  list_[0].events = static_cast<short>(want_output ? POLLIN | POLLOUT : POLLIN);
  for (;;) {
    const int count = ::poll(list_.data(), list_.size(), deadline.poll_timeout());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (count == 0) {
      if (deadline.passed()) return Wake::timeout;
      continue;
    }
    if ((list_[0].revents & ~POLLOUT) != 0) return Wake::input;
    for (std::size_t i = 1; i < list_.size(); ++i) {
      if (list_[i].revents != 0) return Wake::watch;
    }
    return Wake::output;
  }
}

std::size_t Channel::send(std::string_view bytes, const std::vector<int>& fds) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = send_some(fd_.get(), bytes.substr(done), done == 0 ? fds : std::vector<int>());
    if (n == 0) break;
    done += n;
  }
  return done;
}

std::string_view Channel::receive() {
  for (;;) {
    const auto n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n > 0) return {buffer_.data(), static_cast<std::size_t>(n)};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return {};
    // Reset means: the peer closed without having read everything. It is gone either way.
    if (n < 0 && errno != ECONNRESET) {
      throw std::system_error(errno, std::generic_category(), "recv");
    }
    ended_ = true;
    return {};
  }
}

std::string Channel::cause() const {
  auto list = list_;
  if (::poll(list.data() + 1, list.size() - 1, 0) > 0) {
    for (std::size_t i = 1; i < list.size(); ++i) {
      if (list[i].revents != 0) return watches_[i - 1].cause;
    }
  }
  return {};
}

}  // namespace qmp
