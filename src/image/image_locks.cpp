// SPDX-License-Identifier: MIT
#include "image/image_locks.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/process.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace qlaunch {
namespace {

// QEMU's block/file-posix.c: byte 100 + n is locked by whoever does what the n-th permission
// (BLK_PERM_…) allows, byte 200 + n by whoever does not let others do it. Consistent reading is the
// first, writing the second, writing what is there already the third, resizing the fourth.
constexpr off_t first_use = 100;
constexpr off_t first_denial = 200;
constexpr off_t most_uses = 64;
constexpr off_t writing = 1;
constexpr off_t resizing = 3;

bool locked(int fd, off_t first, off_t count) {
  struct flock probe {};
  probe.l_type = F_WRLCK;
  probe.l_whence = SEEK_SET;
  probe.l_start = first;
  probe.l_len = count;
  return fcntl(fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

/// The first and last byte of an OFD lock in a line of fdinfo.
struct LockedBytes {
  off_t first = 0, last = 0;
  bool has(off_t byte) const { return first <= byte && byte <= last; }
};

std::optional<LockedBytes> locked_bytes(const std::string& line) {
  // "lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 100 101"
  if (!line.starts_with("lock:") || line.find(" OFDLCK ") == std::string::npos) return {};
  const auto words = split(trim(line), ' ');
  if (words.size() < 2) return {};
  const auto first = parse_unsigned(words[words.size() - 2]);
  const auto last = words.back() == "EOF" ? first : parse_unsigned(words.back());
  if (!first || !last) return {};
  return LockedBytes{static_cast<off_t>(*first), static_cast<off_t>(*last)};
}

}  // namespace

ImageUse image_use(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return ImageUse::none;
  for (const auto use : {writing, resizing}) {
    if (locked(file.get(), first_use + use, 1)) return ImageUse::writes;
  }
  if (locked(file.get(), first_use, most_uses) || locked(file.get(), first_denial, most_uses))
    return ImageUse::reads;
  return ImageUse::none;
}

bool await_image(const std::string& path, bool to_read) {
  constexpr auto moment = std::chrono::seconds(2);
  constexpr int between_tries = 20;  // milliseconds: nobody tells when a lock goes
  const auto deadline = std::chrono::steady_clock::now() + moment;
  for (;;) {
    const auto use = image_use(path);
    if (use == ImageUse::none || (to_read && use == ImageUse::reads)) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    poll(nullptr, 0, between_tries);
  }
}

ImageUse image_use_in_fdinfo(const std::string& line) {
  const auto bytes = locked_bytes(line);
  if (!bytes || bytes->last >= first_denial + most_uses) return ImageUse::none;
  if (bytes->has(first_use + writing) || bytes->has(first_use + resizing)) return ImageUse::writes;
  return bytes->last >= first_use ? ImageUse::reads : ImageUse::none;
}

std::vector<ImageHolder> image_holders(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<ImageHolder> holders;
  struct stat image {};
  if (stat(path.c_str(), &image) != 0) return holders;
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    const auto pid = parse_unsigned(process.path().filename().string());
    if (!pid) continue;
    ImageHolder holder{static_cast<pid_t>(*pid), {}, false};
    bool holds = false;
    std::error_code unreadable;
    for (const auto& entry : fs::directory_iterator(process.path() / "fd", unreadable)) {
      struct stat file {};
      if (stat(entry.path().c_str(), &file) != 0 || file.st_ino != image.st_ino ||
          file.st_dev != image.st_dev)
        continue;
      // /proc/locks knows no pid of such a lock: it belongs to the open file.
      const auto told = try_read_file(
          (process.path() / "fdinfo" / entry.path().filename()).string(), std::size_t{1} << 16);
      for (const auto& line : split(told.value_or(""), '\n')) {
        const auto use = image_use_in_fdinfo(line);
        holds = holds || use != ImageUse::none;
        holder.writes = holder.writes || use == ImageUse::writes;
      }
    }
    if (!holds) continue;
    holder.program = process_name(holder.pid);
    holders.push_back(std::move(holder));
  }
  std::sort(holders.begin(), holders.end(),
            [](const auto& one, const auto& other) { return one.pid < other.pid; });
  return holders;
}

std::size_t times_open(pid_t pid, const std::string& path) {
  struct stat image {};
  if (stat(path.c_str(), &image) != 0) return 0;
  std::size_t count = 0;
  std::error_code ignored;
  const auto folder = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    struct stat file {};
    if (stat(entry.path().c_str(), &file) == 0 && file.st_ino == image.st_ino &&
        file.st_dev == image.st_dev)
      ++count;
  }
  return count;
}

std::string describe_holders(const std::vector<ImageHolder>& holders) {
  if (holders.empty()) return "another program";
  std::vector<std::string> words;
  words.reserve(holders.size());
  for (const auto& holder : holders)
    words.push_back((holder.program.empty() ? "a program" : printable(holder.program)) + " (pid " +
                    std::to_string(holder.pid) + ")");
  return enumerate(words);
}

}  // namespace qlaunch
