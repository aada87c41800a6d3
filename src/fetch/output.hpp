// SPDX-License-Identifier: MIT
// What the helper tells qlaunch, and how it writes files. Knows nothing of what is in them.
#pragma once

#include "image/fetch_job.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace qlaunch::fetch {

constexpr int part_fd = 3;
constexpr int second_fd = 4;

/// Ends the job: told as the event `failed`.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& text, bool refused = false, std::string help = {})
      : std::runtime_error(text), refused_(refused), help_(std::move(help)) {}
  bool refused() const { return refused_; }
  const std::string& help() const { return help_; }

 private:
  bool refused_;
  std::string help_;
};

std::string errno_text(int error);

/// To descriptor 1. Where nobody reads it any more, the process ends: it serves nobody.
void tell(const FetchEvent& event);

/// How far a job is, told a few times a second.
class Teller {
 public:
  void at(std::uint64_t have, std::optional<std::uint64_t> total);

 private:
  std::chrono::steady_clock::time_point last_{};
};

/// All of it at this place; a full disk is said to be one.
void write_at(int fd, std::string_view bytes, std::uint64_t offset);
std::uint64_t size_of(int fd);
void cut(int fd, std::uint64_t size);
/// Until it is on the disk.
void settle(int fd);
/// Bytes that this user may still write to the file system of `fd`.
std::uint64_t free_space_of(int fd);

/// "it takes 2 GiB, and 1 GiB are free"
[[noreturn]] void refuse_for_space(std::uint64_t needed, std::uint64_t free);
[[noreturn]] void refuse_for_limit(std::uint64_t limit);

}  // namespace qlaunch::fetch
