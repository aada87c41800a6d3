// SPDX-License-Identifier: MIT
#include "image/fetch_helper.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/own_programs.hpp"
#include "host/spawn.hpp"

#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr int look_up = 50;  // milliseconds: nobody tells that the user wants an end
constexpr auto patience = std::chrono::seconds(10);

struct Pipe {
  UniqueFd reading, writing;
};

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Kills it unless told that it has ended.
class Running {
 public:
  explicit Running(Child child) : child_(std::move(child)) {}
  ~Running() {
    if (!ended_) kill_and_reap(child_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Its wait status; killed where it does not end by itself.
  int end() {
    const auto status = reap(child_, std::chrono::steady_clock::now() + patience);
    ended_ = true;
    return status ? *status : kill_and_reap(child_);
  }

 private:
  Child child_;
  bool ended_ = false;
};

/// Lines as they come; nothing at the end.
class Lines {
 public:
  Lines(int fd, const std::function<bool()>& interrupted) : fd_(fd), interrupted_(interrupted) {}

  std::optional<std::string> next() {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        auto line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      if (interrupted_()) throw Error("interrupted");
      pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&entry, 1, look_up) <= 0) continue;
      std::array<char, 4096> bytes;
      const auto count = read(fd_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return std::nullopt;
      text_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  int fd_;
  const std::function<bool()>& interrupted_;
  std::string text_;
};

}  // namespace

FetchEvent run_fetch(const FetchJob& job, const FetchFiles& files,
                     const std::function<void(const FetchEvent&)>& told,
                     const std::function<bool()>& interrupted) {
  const auto file = own_program("fetch", "that downloads");
  auto input = make_pipe();
  auto output = make_pipe();
  SpawnOptions options;
  options.argv = {file};
  options.descriptors = {{0, input.reading.get()}, {1, output.writing.get()}, {3, files.file}};
  if (files.second >= 0) options.descriptors[4] = files.second;
  options.die_with_parent = true;
  // Ctrl-C reaches all of a terminal's programs: it is for this one to say what it means.
  options.block_signals = true;
  Running helper(spawn(options));
  input.reading.reset();
  output.writing.reset();
  // A pipe takes this much at once, whoever reads it.
  write_all(input.writing.get(), to_line(job), "cannot tell `qlaunch-fetch` what to do");
  input.writing.reset();

  Lines lines(output.reading.get(), interrupted);
  std::optional<FetchEvent> last;
  while (const auto line = lines.next()) {
    auto event = parse_event(*line);
    if (!event) continue;
    if (event->kind == FetchEvent::Kind::done || event->kind == FetchEvent::Kind::failed)
      last = std::move(event);
    else
      told(*event);
  }
  const int status = helper.end();
  if (!last)
    throw Error("`qlaunch-fetch` ended with " + describe_exit(status))
        .help("run " + in_backticks(file) + " by hand to see whether it starts at all");
  return *last;
}

}  // namespace qlaunch
