// SPDX-License-Identifier: MIT
#include "guest/exec_streams.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace qlaunch::guest_exec {
namespace {

/// A bigger piece is not faster, and keeps others waiting longer.
constexpr std::size_t piece = std::size_t{1} << 20;
/// A pipe with room takes so much without waiting.
constexpr std::size_t atomic_write = 4096;
/// For a guest that answers, but does not do what it is asked for.
constexpr auto last_patience = std::chrono::seconds(5);
/// So many wait in the guest at most, see exec_script.hpp.
constexpr int kept_segments = 3;

bool poll_one(int fd, short events, int milliseconds) {
  pollfd entry{fd, events, 0};
  return poll(&entry, 1, milliseconds) > 0;
}

}  // namespace

void Questions::Patience::check() {
  if (!questions_.give_up_()) return;
  const auto now = std::chrono::steady_clock::now();
  if (!since_) since_ = now;
  if (now - *since_ < last_patience) return;
  questions_.lost_ = true;
  Error error("the guest does not end the command: it hangs, or its file systems are frozen");
  error.help("the command may still run in the guest");
  throw error;
}

bool Questions::frozen(const qmp::Refused& refused) {
  if (refused.error_class() != "CommandNotFound") return false;
  try {
    if (!turn_.agent().call(qmp::guest_frozen())) return false;
  } catch (const qmp::Refused&) {
    return false;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  turn_.share();
  return true;
}

std::optional<std::int64_t> Questions::open(const std::string& path, std::string_view mode) {
  try {
    return call(qmp::guest_file_open(path, mode));
  } catch (const qmp::Refused& refused) {
    if (refused.error_class() == "CommandNotFound") throw;
    refusal_ = refused.desc();
    return std::nullopt;
  }
}

void Questions::close(std::int64_t handle) {
  call(qmp::guest_file_close(handle));
}

void Questions::write(std::int64_t handle, std::string_view bytes) {
  for (Patience patience(*this); !bytes.empty(); patience.check()) {
    const auto taken = call(qmp::guest_file_write(handle, bytes.substr(0, piece)));
    if (taken <= 0 || static_cast<std::size_t>(taken) > bytes.size())
      throw qmp::Malformed("the guest agent wrote another number of bytes than there are");
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
}

std::int64_t Questions::start(const std::string& path, std::vector<std::string> arguments) {
  qmp::ExecRequest request;
  request.path = path;
  request.arguments = std::move(arguments);
  request.capture = false;
  return call(qmp::guest_exec(request));
}

int Questions::await(std::int64_t pid) {
  auto pause = std::chrono::milliseconds(1);
  for (Patience patience(*this);; patience.check()) {
    if (const auto end = call(qmp::guest_exec_status(pid))) return end->code.value_or(1);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
}

int Questions::shell(const std::string& line) {
  return await(start("/bin/sh", {"-c", line}));
}

void Outlet::pass(std::string_view bytes) {
  // Without waiting in write(): a reader that takes its time keeps the agent from nobody.
  while (!bytes.empty() && !closed_) {
    if (!poll_one(fd_, POLLOUT, 50)) {
      if (give_up_()) return;
      questions_.share();
      continue;
    }
    const auto written = ::write(fd_, bytes.data(), std::min(bytes.size(), atomic_write));
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    if (written >= 0 || errno == EINTR || errno == EAGAIN) continue;
    if (errno != EPIPE) throw system_error("cannot write the command's output", errno);
    closed_ = true;
  }
}

bool Output::read() {
  const auto got = questions_.call(qmp::guest_file_read(*handle_, piece));
  if (got.bytes.empty()) return false;
  size_ += got.bytes.size();
  // It would be read for ever.
  if (size_ > segment_records * record_size)
    throw qmp::Malformed("the guest agent hands over more output than was written");
  outlet_.pass(got.bytes);
  return true;
}

bool Output::step(bool last) {
  if (ended_) return false;
  if (!handle_) handle_ = questions_.open(prefix_ + std::to_string(segment_), "r");
  if (!handle_) {
    ended_ = last;
    caught_up_ = true;
    return false;
  }
  if (read()) return true;
  // A full segment has at least a byte for each of its records.
  std::optional<std::int64_t> next;
  if (size_ >= segment_records) next = questions_.open(prefix_ + std::to_string(segment_ + 1), "r");
  if (next && last && ++last_segments_ > kept_segments)
    throw qmp::Malformed("the guest agent hands over more output than was written");
  if (next) next_segment(*next);
  ended_ = last && !next;
  caught_up_ = caught_up_ || !next;
  return next.has_value();
}

void Output::next_segment(std::int64_t handle) {
  // What came between the last read and the end of the segment.
  for (Questions::Patience patience(questions_); read();) patience.check();
  questions_.close(*handle_);
  handle_ = handle;
  ++segment_;
  size_ = 0;
  if (!credit_) credit_ = questions_.open(prefix_ + "c", "r+");
  if (!credit_) return;
  questions_.write(*credit_, "\n");
  questions_.call(qmp::guest_file_flush(*credit_));
}

bool Output::reached() const {
  // Those that waited in the guest, and one for what was in the pipe.
  return caught_up_ || segment_ > marked_ + kept_segments + 1;
}

void Output::mark() {
  marked_ = segment_;
  caught_up_ = false;
}

void Output::close() {
  if (handle_) questions_.close(*std::exchange(handle_, std::nullopt));
  if (credit_) questions_.close(*std::exchange(credit_, std::nullopt));
}

bool Feed::ready() const {
  return fd_ >= 0 && !read_all_ && poll_one(fd_, POLLIN, 0);
}

void Feed::take() {
  std::array<char, record_size> bytes;
  while (pending_.size() < piece && ready()) {
    const auto got = ::read(fd_, bytes.data(), bytes.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    // Nothing can be read from a terminal that belongs to others, or from a folder.
    if (got <= 0) read_all_ = true;
    if (got > 0) pending_.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

Input Feed::look(const std::string& base) {
  base_ = base;
  done_ = false;
  if (fd_ < 0) read_all_ = true;
  take();
  if (!read_all_) return Input::fed;
  done_ = true;
  return pending_.empty() ? Input::none : Input::given;
}

int Feed::wanted() const {
  return fifo_ && !read_all_ && pending_.empty() ? fd_ : -1;
}

bool Feed::step() {
  if (done_) return false;
  if (!fifo_) {
    fifo_ = questions_.open(base_ + ".i", "r+");
    if (!fifo_) return false;
    taken_ = questions_.open(base_ + ".a", "r");
  }
  if (given_ - acknowledged_ >= 2) {
    // Both places are full.
    if (taken_) acknowledged_ += questions_.call(qmp::guest_file_read(*taken_, 64)).bytes.size();
    if (given_ - acknowledged_ >= 2) return false;
  }
  take();
  if (pending_.empty() && !read_all_) return false;
  std::string line = "end";
  if (pending_.empty()) {
    done_ = true;
  } else {
    line = given_ % 2 == 0 ? "0" : "1";
    const auto file = questions_.open(base_ + ".i" + line, "w");
    if (!file) throw Error("the guest did not take the command's input");
    questions_.write(*file, pending_);
    questions_.close(*file);
    pending_.clear();
    ++given_;
  }
  questions_.write(*fifo_, line + "\n");
  questions_.call(qmp::guest_file_flush(*fifo_));
  return true;
}

void Feed::close() {
  if (fifo_) questions_.close(*std::exchange(fifo_, std::nullopt));
  if (taken_) questions_.close(*std::exchange(taken_, std::nullopt));
  done_ = true;
}

}  // namespace qlaunch::guest_exec
