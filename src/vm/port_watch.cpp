// SPDX-License-Identifier: MIT
#include "vm/port_watch.hpp"

#include <array>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// After one that was killed; each new one looks at once.
constexpr auto worker_again = std::chrono::seconds(2);

}  // namespace

void PortWatch::begin() {
  again_.reset();
  if (!live_.plan.auto_forward || pid_ != 0) return;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    again_ = Clock::now() + worker_again;
    return;
  }
  UniqueFd reading(ends[0]);
  news_.reset(ends[1]);
  const auto keeper = getpid();
  // Of the keeper's memory it takes only what it changes.
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "qlaunch-ports");
    if (getppid() != keeper) _exit(0);
    // Not the keeper's connection to QEMU: a new keeper could not have it as long as this lives.
    dup2(reading.get(), 3);
    close_range(4, ~0U, 0);
    work_on_ports(live_, 3);
    _exit(0);
  }
  if (pid_ < 0) {
    pid_ = 0;
    again_ = Clock::now() + worker_again;
    return;
  }
  process_ = open_pidfd(identify_child(pid_));
}

void PortWatch::tell(PortNews news) const {
  const char byte = static_cast<char>(news);
  // It is there, or will look by itself; a full pipe means that it has enough to read.
  if (news_ && write(news_.get(), &byte, 1) < 0) return;
}

void PortWatch::ended() {
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
  process_.reset();
  news_.reset();
  again_ = Clock::now() + worker_again;
}

void PortWatch::end() {
  again_.reset();
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(std::exchange(pid_, 0), nullptr, 0);
  process_.reset();
}

}  // namespace qlaunch
