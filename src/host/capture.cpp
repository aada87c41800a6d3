// SPDX-License-Identifier: MIT
#include "host/capture.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"
#include "host/spawn.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {

namespace {

struct Pipe {
  UniqueFd read, write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // Only our end: the program's shall block as usual.
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

/// Takes what is there; closes the descriptor at its end.
void drain(UniqueFd& fd, std::string& text, std::size_t limit) {
  std::array<char, 16384> buffer;
  while (fd) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      fd.reset();
      return;
    }
    const std::size_t room = limit - std::min(limit, text.size());
    text.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
  }
}

int reap_now(const Child& child) {
  int status = 0;
  while (::waitpid(child.id.pid, &status, 0) < 0) {
    if (errno != EINTR) throw system_error("cannot wait for a program", errno);
  }
  return status;
}

}  // namespace

std::optional<int> reap(const Child& child, std::chrono::steady_clock::time_point deadline) {
  if (!wait_exit(child.pidfd.get(), deadline)) return std::nullopt;
  return reap_now(child);
}

int kill_and_reap(const Child& child) {
  // Fails only where it has ended already.
  ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
  return reap_now(child);
}

CaptureResult capture(SpawnOptions options, std::chrono::milliseconds timeout, std::size_t limit,
                      const std::function<bool(const Captured&)>& enough) {
  using namespace std::chrono;
  const auto deadline = steady_clock::now() + timeout;
  Pipe out = make_pipe(), err = make_pipe();
  options.descriptors[1] = out.write.get();
  options.descriptors[2] = err.write.get();
  const Child child = spawn(options);
  out.write.reset();
  err.write.reset();

  CaptureResult result;
  Captured& output = result.output;
  const auto stop = [&](CaptureEnd end) {
    output.status = kill_and_reap(child);
    result.end = end;
    return result;
  };
  for (bool running = true; running;) {
    const auto left = ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return stop(CaptureEnd::timeout);
    std::array<pollfd, 3> entries{{{.fd = out.read.get(), .events = POLLIN, .revents = 0},
                                   {.fd = err.read.get(), .events = POLLIN, .revents = 0},
                                   {.fd = child.pidfd.get(), .events = POLLIN, .revents = 0}}};
    const int wait = static_cast<int>(std::min<long long>(left, 1 << 30));
    if (::poll(entries.data(), entries.size(), wait) < 0) continue;
    // Its own end counts, not that of the pipes: something it left behind may hold them open.
    running = entries[2].revents == 0;
    drain(out.read, output.out, limit);
    drain(err.read, output.err, limit);
    if (running && enough && enough(output)) return stop(CaptureEnd::stopped);
  }
  output.status = reap_now(child);
  return result;
}

Captured run_and_capture(SpawnOptions options, std::chrono::milliseconds timeout,
                         std::size_t limit) {
  const std::string program = options.argv.empty() ? "" : options.argv.front();
  auto result = capture(std::move(options), timeout, limit);
  if (result.end == CaptureEnd::timeout) {
    throw TimeoutError(in_backticks(program) + " did not end within " + format_duration(timeout));
  }
  return std::move(result.output);
}

Captured run_and_capture(const std::vector<std::string>& argv, std::chrono::milliseconds timeout,
                         std::size_t limit) {
  SpawnOptions options;
  options.argv = argv;
  return run_and_capture(std::move(options), timeout, limit);
}

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return "exit code " + std::to_string(WEXITSTATUS(wait_status));
  if (!WIFSIGNALED(wait_status)) return "wait status " + std::to_string(wait_status);
  const int signal = WTERMSIG(wait_status);
  std::string text = "killed by signal " + std::to_string(signal);
  if (const char* name = ::sigabbrev_np(signal)) text += " (SIG" + std::string(name) + ")";
  if (WCOREDUMP(wait_status)) text += ", core dumped";
  return text;
}

}  // namespace qlaunch
