// SPDX-License-Identifier: MIT
#include "host/files.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace qlaunch {

namespace {

UniqueFd open_retrying(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return UniqueFd(fd);
}

enum class ReadEnd { complete, failed, too_large };

ReadEnd read_to_end(int fd, std::size_t limit, std::string& text) {
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    if (static_cast<std::uint64_t>(status.st_size) > limit) return ReadEnd::too_large;
    text.reserve(static_cast<std::size_t>(status.st_size));
  }
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ReadEnd::failed;
    if (count == 0) return ReadEnd::complete;
    if (text.size() + static_cast<std::size_t>(count) > limit) return ReadEnd::too_large;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::uint64_t big_endian(const unsigned char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

/// What the first bytes of a disk image say about it (QEMU's docs/interop/qcow2.txt).
void look_inside(FileFact& fact, int fd) {
  std::array<unsigned char, 32> header{};
  const ssize_t count = ::pread(fd, header.data(), header.size(), 0);
  fact.format = "raw";
  if (count < static_cast<ssize_t>(header.size())) return;
  const std::uint64_t version = big_endian(header.data() + 4, 4);
  if (std::memcmp(header.data(), "QFI\xfb", 4) != 0 || version < 2 || version > 3) return;
  fact.format = "qcow2";
  fact.virtual_size = big_endian(header.data() + 24, 8);
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0 && fd_ != fd) ::close(fd_);
  fd_ = fd;
}

std::string read_file(const std::string& path, std::size_t limit) {
  const std::string what = "cannot read " + in_backticks(path);
  const UniqueFd fd = open_retrying(path, O_RDONLY | O_NOCTTY);
  if (!fd) throw system_error(what, errno);
  std::string text;
  switch (read_to_end(fd.get(), limit, text)) {
    case ReadEnd::complete:
      return text;
    case ReadEnd::too_large:
      throw Error(what + ": it is larger than " + format_size(limit));
    case ReadEnd::failed:
      break;
  }
  throw system_error(what, errno);
}

std::optional<std::string> try_read_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd = open_retrying(path, O_RDONLY | O_NOCTTY);
  std::string text;
  if (!fd || read_to_end(fd.get(), limit, text) != ReadEnd::complete) return std::nullopt;
  return text;
}

void write_all(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error(what, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void write_file_atomic(const std::string& path, std::string_view content, mode_t mode,
                       Durability durability) {
  const std::string what = "cannot write " + in_backticks(path);
  // The temporary name is short, so that it fits wherever the file's own does.
  std::string temporary = folder_of(path) + "/.tmp-XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) throw system_error(what, errno);
  try {
    if (::fchmod(fd.get(), mode) != 0) throw system_error(what, errno);
    write_all(fd.get(), content, what);
    if (durability == Durability::crash_safe && ::fsync(fd.get()) != 0) {
      throw system_error(what, errno);
    }
    // Network filesystems tell of a full disk only here.
    if (::close(fd.release()) != 0) throw system_error(what, errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw system_error(what, errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void remove_tree(const std::string& path) {
  try {
    std::filesystem::remove_all(path);
  } catch (const std::filesystem::filesystem_error& failure) {
    const std::string& culprit = failure.path1().empty() ? path : failure.path1().string();
    throw system_error("cannot remove " + in_backticks(culprit), failure.code().value());
  }
}

FileFact file_fact(const std::string& path) {
  FileFact fact;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fact;
  fact.readable = ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
  fact.writable = ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
  if (S_ISDIR(status.st_mode)) {
    fact.kind = FileFact::Kind::folder;
    return fact;
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    fact.kind = S_ISCHR(status.st_mode) ? FileFact::Kind::device : FileFact::Kind::other;
    return fact;
  }
  fact.kind = S_ISREG(status.st_mode) ? FileFact::Kind::file : FileFact::Kind::device;
  fact.size = static_cast<std::uint64_t>(status.st_size);
  fact.format = "raw";
  if (!fact.readable) return fact;
  const UniqueFd fd = open_retrying(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (!fd) return fact;
  if (S_ISBLK(status.st_mode)) {
    std::uint64_t size = 0;
    if (::ioctl(fd.get(), BLKGETSIZE64, &size) == 0) fact.size = size;
  }
  look_inside(fact, fd.get());
  return fact;
}

std::uint64_t free_space(const std::string& path) {
  std::string place = path.empty() ? "." : path;
  struct statvfs status {};
  while (::statvfs(place.c_str(), &status) != 0) {
    if ((errno != ENOENT && errno != ENOTDIR) || place == "/" || place == ".") {
      throw system_error("cannot tell the free space at " + in_backticks(path), errno);
    }
    place = folder_of(place);
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace qlaunch
