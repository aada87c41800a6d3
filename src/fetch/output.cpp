// SPDX-License-Identifier: MIT
#include "fetch/output.hpp"

#include "core/units.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace qlaunch::fetch {
namespace {

constexpr auto tell_every = std::chrono::milliseconds(100);
/// As often the kernel is asked to begin writing, so that little is left to wait for at the end.
constexpr std::uint64_t write_back_every = std::uint64_t{8} << 20;

}  // namespace

std::string errno_text(int error) {
  return std::generic_category().message(error);
}

void tell(const FetchEvent& event) {
  const auto line = to_line(event);
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto count = write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) _exit(1);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Teller::at(std::uint64_t have, std::optional<std::uint64_t> total) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < tell_every) return;
  last_ = now;
  FetchEvent event;
  event.kind = FetchEvent::Kind::progress;
  event.have = have;
  event.total = total;
  tell(event);
}

void write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  const auto begin = offset;
  while (!bytes.empty()) {
    const auto count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      if (errno == ENOSPC || errno == EDQUOT)
        throw Failure("the disk is full (" + format_size_rounded(free_space_of(fd)) + " are free)",
                      false, "what is there is kept: with more space it goes on from there");
      throw Failure("cannot write the file: " + errno_text(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  const auto step = begin / write_back_every;
  if (offset / write_back_every != step)
    sync_file_range(fd, static_cast<off_t>(step * write_back_every),
                    static_cast<off_t>(write_back_every), SYNC_FILE_RANGE_WRITE);
}

std::uint64_t size_of(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) throw Failure("cannot look at the file: " + errno_text(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

void cut(int fd, std::uint64_t size) {
  if (ftruncate(fd, static_cast<off_t>(size)) != 0)
    throw Failure("cannot set the size of the file: " + errno_text(errno));
}

void settle(int fd) {
  if (fdatasync(fd) != 0 && errno != EINVAL)
    throw Failure("cannot write the file: " + errno_text(errno));
}

std::uint64_t free_space_of(int fd) {
  struct statvfs status {};
  if (fstatvfs(fd, &status) != 0) return ~std::uint64_t{0};
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

void refuse_for_space(std::uint64_t needed, std::uint64_t free) {
  throw Failure("it takes " + format_size_rounded(needed) + " of the disk, and " +
                    format_size_rounded(free) + " are free",
                false, "`qlaunch image prune` removes images that no VM needs");
}

void refuse_for_limit(std::uint64_t limit) {
  throw Failure("it is larger than " + format_size_rounded(limit), true,
                "where it really is that large, `--limit SIZE` lets `qlaunch image pull` take it");
}

}  // namespace qlaunch::fetch
