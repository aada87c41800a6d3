// SPDX-License-Identifier: MIT
// A file descriptor that closes itself, and a Unix connection made into one.
// Does not wait longer than its deadline, whatever the listener's queue looks like.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/options.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// One try, for a caller that waits by other means; nothing while the listener's queue is full.
std::optional<Fd> try_connect_unix(const std::filesystem::path& path);

/// The next connection of a listening socket, prepared; waits for it. Timeout after the deadline,
/// Gone where a watch fires.
Fd accept_unix(int listener, Deadline deadline, const std::vector<Watch>& watches);
/// The same without waiting.
std::optional<Fd> try_accept_unix(int listener);

/// Sets close-on-exec and non-blocking on a descriptor somebody else made.
void prepare(int fd);

/// Another descriptor for the same, close-on-exec.
Fd duplicate(int fd);

/// How much of it the socket took without waiting, with descriptors beside the first byte. To a
/// peer that is gone everything "is sent": the end shows when reading, after its last words.
std::size_t send_some(int fd, std::string_view bytes, const std::vector<int>& fds);

/// The texts of Busy and Timeout while connecting.
std::string queue_full(const std::filesystem::path& path);
const char* no_greeting();
const char* no_negotiation();
const char* nobody_connected();

}  // namespace qmp
