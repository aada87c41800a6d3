// SPDX-License-Identifier: MIT
#include "host/lock.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {

namespace {

/// Two numbers of at most twenty digits, a space and a newline.
constexpr std::size_t hint_size = 42;

/// "PID START", asked once: `list` locks the sockets of all VMs.
const std::string& own_identity() {
  thread_local pid_t known = 0;
  thread_local std::string text;
  if (known != ::getpid()) {
    known = ::getpid();
    const auto self = identify(known);
    text = std::to_string(known) + " " + std::to_string(self ? self->start_time : 0);
  }
  return text;
}

}  // namespace

FileLock::FileLock(std::string path) : path_(std::move(path)) {
  fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) throw system_error("cannot open the lock " + in_backticks(path_), errno);
}

bool FileLock::try_lock() {
  if (locked_) return true;
  while (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw system_error("cannot lock " + in_backticks(path_), errno);
  }
  locked_ = true;
  // Only a hint for messages: a full disk must not keep the lock from working.
  auto text = own_identity() + "\n";
  // Written over whatever a holder that died has left, which costs less than to cut it off.
  text.resize(hint_size, ' ');
  [[maybe_unused]] const ssize_t written = ::pwrite(fd_.get(), text.data(), text.size(), 0);
  return true;
}

bool FileLock::lock(std::chrono::steady_clock::time_point deadline) {
  using namespace std::chrono;
  if (try_lock()) return true;
  // flock knows no deadline. A holder that lets go, closes or dies touches the file, and inotify
  // tells; but a close is told just before its lock goes, hence the quick tries after each event.
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (watch) ::inotify_add_watch(watch.get(), path_.c_str(), IN_CLOSE_WRITE | IN_ATTRIB);
  constexpr milliseconds slowest(50);
  milliseconds wait(1);
  while (!try_lock()) {
    const auto now = steady_clock::now();
    if (now >= deadline) return false;
    const auto left = ceil<milliseconds>(deadline - now);
    pollfd entry{.fd = watch.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(wait, left).count()));
    wait = std::min(wait * 2, slowest);
    if (ready <= 0) continue;
    std::array<char, 4096> events;
    while (::read(watch.get(), events.data(), events.size()) > 0) {
    }
    wait = milliseconds(1);
  }
  return true;
}

void FileLock::unlock() {
  if (!locked_) return;
  locked_ = false;
  [[maybe_unused]] const int cleared = ::ftruncate(fd_.get(), 0);
  ::flock(fd_.get(), LOCK_UN);
  ::futimens(fd_.get(), nullptr);  // wakes those that wait in lock()
}

std::optional<pid_t> FileLock::holder() const {
  std::array<char, 64> text{};
  const ssize_t count = ::pread(fd_.get(), text.data(), text.size(), 0);
  if (count <= 0) return std::nullopt;
  const char* const end = text.data() + count;
  pid_t pid = 0;
  unsigned long long start = 0;
  const auto first = std::from_chars(text.data(), end, pid);
  if (first.ec != std::errc{} || first.ptr == end || pid <= 0) return std::nullopt;
  if (std::from_chars(first.ptr + 1, end, start).ec != std::errc{}) return std::nullopt;
  if (!alive(ProcessId{.pid = pid, .start_time = start, .boot_id = {}})) return std::nullopt;
  return pid;
}

}  // namespace qlaunch
