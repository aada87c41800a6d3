// SPDX-License-Identifier: MIT
// A file descriptor that closes itself, and a Unix connection made into one.
// Does not wait longer than its deadline, whatever the listener's queue looks like.
#pragma once

#include "qmp/deadline.hpp"

#include <filesystem>
#include <utility>

namespace qmp {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Connected, close-on-exec, not blocking. Gone where nobody listens, Busy where the listener's
/// queue stays full until the deadline. Paths longer than a socket address are reached, too.
Fd connect_unix(const std::filesystem::path& path, Deadline deadline);

/// Sets close-on-exec and non-blocking on a descriptor somebody else made.
void prepare(int fd);

/// The texts of Busy and Timeout while connecting.
const char* no_greeting();
const char* no_negotiation();

}  // namespace qmp
