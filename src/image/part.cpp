// SPDX-License-Identifier: MIT
#include "image/part.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "image/image_names.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr std::size_t longest_state = std::size_t{1} << 16;

std::string with(const std::string& stem, std::string_view ending) {
  return stem + std::string(ending);
}

UniqueFd open_own(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw system_error("cannot open " + in_backticks(path), errno);
  return file;
}

/// Whether the path still leads to what is open.
bool same_file(int fd, const std::string& path) {
  struct stat open_one {
  }, named{};
  return fstat(fd, &open_one) == 0 && lstat(path.c_str(), &named) == 0 &&
         open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

}  // namespace

std::optional<Part> Part::take(const std::string& stem) {
  const auto path = with(stem, part_ending);
  for (;;) {
    auto file = open_own(path);
    while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (errno != EINTR) throw system_error("cannot lock " + in_backticks(path), errno);
    }
    // Whoever had it may have finished in between: then this is the image, or nothing any more.
    if (!same_file(file.get(), path)) continue;
    return Part(stem, std::move(file), open_own(with(stem, record_ending)));
  }
}

std::string Part::path() const {
  return with(stem_, part_ending);
}

std::uint64_t Part::size() const {
  struct stat status {};
  if (fstat(fd(), &status) != 0)
    throw system_error("cannot look at " + in_backticks(path()), errno);
  return static_cast<std::uint64_t>(status.st_size);
}

PartState Part::state() const {
  return parse_part_state(
             try_read_file(with(stem_, record_ending), longest_state).value_or(std::string()))
      .value_or(PartState{});
}

void Part::remove() {
  // The lock is on the part: it goes last.
  for (const auto ending : {fresh_ending, record_ending, part_ending})
    unlink(with(stem_, ending).c_str());
}

void Part::become(const std::string& path) {
  if (rename(this->path().c_str(), path.c_str()) != 0)
    throw system_error("cannot move " + in_backticks(this->path()) + " to " + in_backticks(path),
                       errno);
  unlink(with(stem_, record_ending).c_str());
}

void Part::remove_if_empty() {
  if (size() == 0) remove();
}

PartProgress look_at_part(const std::string& stem) {
  PartProgress progress;
  struct stat status {};
  if (stat(with(stem, part_ending).c_str(), &status) == 0)
    progress.have = static_cast<std::uint64_t>(status.st_size);
  if (const auto text = try_read_file(with(stem, record_ending), longest_state))
    progress.state = parse_part_state(*text).value_or(PartState{});
  return progress;
}

}  // namespace qlaunch
