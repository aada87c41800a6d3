// SPDX-License-Identifier: MIT
#include "vm/follow.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "vm/file_watch.hpp"

#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a keeper may take to tidy up after its QEMU.
constexpr auto end_patience = std::chrono::seconds(15);

UniqueFd open_file(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

enum class Woken { file, process, nobody_reads, time };

Woken wait_for_any(const FileWatch& watch, int pidfd, Clock::time_point until) {
  for (;;) {
    std::array<pollfd, 3> fds{{{watch.fd(), POLLIN, 0},
                               {pidfd, POLLIN, 0},
                               // Only errors: the reader of our output has gone.
                               {STDOUT_FILENO, 0, 0}}};
    int timeout = -1;
    if (until != Clock::time_point::max()) {
      const auto rest = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      timeout = static_cast<int>(std::max<long>(rest.count(), 0));
    }
    const int ready = poll(fds.data(), fds.size(), timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) throw system_error("cannot wait for the file", errno);
    if (ready == 0) return Woken::time;
    if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) return Woken::nobody_reads;
    return fds[0].revents != 0 ? Woken::file : Woken::process;
  }
}

}  // namespace

GrowingFile::GrowingFile(std::string path) : path_(std::move(path)), file_(open_file(path_)) {
  if (!file_) throw system_error("cannot read " + in_backticks(path_), errno);
}

bool GrowingFile::start_over() {
  struct stat ours {};
  struct stat there {};
  if (fstat(file_.get(), &ours) != 0) return false;
  if (stat(path_.c_str(), &there) == 0 &&
      (there.st_ino != ours.st_ino || there.st_dev != ours.st_dev)) {
    auto other = open_file(path_);
    if (!other) return false;
    file_ = std::move(other);
    return true;
  }
  if (ours.st_size >= lseek(file_.get(), 0, SEEK_CUR)) return false;
  return lseek(file_.get(), 0, SEEK_SET) == 0;
}

std::string GrowingFile::read_more() {
  std::string bytes(65536, '\0');
  for (;;) {
    const auto got = read(file_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("cannot read " + in_backticks(path_), errno);
    bytes.resize(static_cast<std::size_t>(got));
    // The rest of the old file comes before the new one.
    if (!bytes.empty() || !start_over()) return bytes;
    bytes.resize(65536);
  }
}

void follow_file(const std::string& path, const LiveRecord& live,
                 const std::function<void()>& look) {
  FileWatch watch(path);
  const auto follow_process = [&](const ProcessId& process, Clock::time_point until) {
    const auto pidfd = open_pidfd(process);
    for (;;) {
      // After the watch is there: nothing written in between is missed.
      watch.clear();
      look();
      if (!pidfd) return true;
      const auto woken = wait_for_any(watch, pidfd.get(), until);
      if (woken == Woken::nobody_reads) return false;
      if (woken != Woken::file) return true;
    }
  };
  if (!follow_process(live.qemu, Clock::time_point::max())) return;
  // It may be another one than at first.
  const auto now = read_live(live.name);
  const auto& keeper = now && now->qemu == live.qemu ? now->keeper : live.keeper;
  if (!follow_process(keeper, Clock::now() + end_patience)) return;
  look();
}

}  // namespace qlaunch
