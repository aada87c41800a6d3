// SPDX-License-Identifier: MIT
// Files: whole reads, atomic writes, what a disk image is. Keeps nothing open and knows no names.
#pragma once

#include "plan/host_facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace qlaunch {

/// Owns one file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// The whole file. Throws an Error that names it: missing, a folder, not allowed, over the limit.
std::string read_file(const std::string& path, std::size_t limit = std::size_t{64} << 20);

/// The same, but nothing where it cannot be read (or is over the limit).
std::optional<std::string> try_read_file(const std::string& path,
                                         std::size_t limit = std::size_t{1} << 20);

/// `quick` spares the wait for the disk: for what can be made again, such as caches.
enum class Durability { crash_safe, quick };

/// Readers see the old content or the new, never a part. On failure the old file stays, the
/// temporary one is removed, and the Error says why.
void write_file_atomic(const std::string& path, std::string_view content, mode_t mode = 0600,
                       Durability durability = Durability::crash_safe);

/// Removes the file or the folder with all in it; a symlink is removed, never followed. Missing is
/// fine. Throws at the first that cannot be removed.
void remove_tree(const std::string& path);

/// Follows symlinks. Never throws: what cannot be looked at is missing.
FileFact file_fact(const std::string& path);

/// Bytes that this user may still write where `path` is, or would be.
std::uint64_t free_space(const std::string& path);

/// All of it, through short writes and EINTR. Throws, naming `what`.
void write_all(int fd, std::string_view bytes, const std::string& what);

}  // namespace qlaunch
