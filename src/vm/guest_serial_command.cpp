// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/lock.hpp"
#include "host/socket.hpp"
#include "vm/guest_command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

// What a terminal in the guest takes as one line.
constexpr std::size_t longest_line = 4000;
constexpr std::size_t longest_output = std::size_t{64} << 20;
constexpr auto ask_again = std::chrono::seconds(1);

/// Words that no guest says by itself.
std::string fresh_mark() {
  std::random_device random;
  return "qlaunch-" + std::to_string(random()) + '-';
}

class SerialShell {
 public:
  SerialShell(const LiveRecord& live, const GuestCommand& command)
      : command_(command),
        lock_(live.plan.paths.runtime + "/console.lock"),
        pidfd_(open_pidfd(live.qemu)) {
    const auto* serial = live.plan.descriptor("serial");
    if (serial == nullptr)
      throw StateError("VM " + in_backticks(live.name) + " has no serial port")
          .help("set `type = \"isa\"` in [serial]");
    if (!lock_.try_lock())
      throw StateError("a console is open on VM " + in_backticks(live.name))
          .help("leave it there with Ctrl-]");
    port_ = connect_unix(serial->path);
  }

  /// Until a shell does what only a shell can: the words it is to say are not those that are typed,
  /// so that an echo alone does not count.
  void await_shell() {
    const auto mark = fresh_mark();
    for (;;) {
      type("echo " + mark + "$((40 + 2))\r");
      if (read_until(mark + "42", Clock::now() + ask_again)) return;
    }
  }

  GuestOutput run(const std::string& line) {
    const auto mark = fresh_mark();
    // The echo of this line comes before its first word, and goes off for what the command reads.
    type("stty -echo 2>/dev/null; echo " + mark + "$((1 + 1)); " + line + " </dev/null; echo " +
         mark + "end-$?-\r");
    read_until(mark + "2", Clock::time_point::max());
    text_.erase(0, text_.find(mark + "2") + mark.size() + 1);
    read_until(mark + "end-", Clock::time_point::max());
    const auto end = text_.find(mark + "end-");
    GuestOutput output;
    output.out = text_.substr(0, end);
    text_.erase(0, end + mark.size() + 4);
    read_until("-", Clock::time_point::max());
    output.code = static_cast<int>(parse_unsigned(text_.substr(0, text_.find('-'))).value_or(1));
    // A terminal makes two characters of a newline.
    std::erase(output.out, '\r');
    if (output.out.starts_with('\n')) output.out.erase(0, 1);
    return output;
  }

 private:
  void type(std::string_view text) {
    while (!text.empty()) {
      const auto sent = send(port_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        text.remove_prefix(static_cast<std::size_t>(sent));
        continue;
      }
      if (sent < 0 && errno != EAGAIN && errno != EINTR)
        throw system_error("cannot write to the serial port", errno);
      step(Clock::time_point::max(), POLLOUT);
    }
  }

  /// False at `until`; the whole command's deadline throws.
  bool read_until(const std::string& word, Clock::time_point until) {
    while (text_.find(word) == std::string::npos) {
      if (Clock::now() >= until) return false;
      step(until, 0);
    }
    return true;
  }

  void step(Clock::time_point until, short more) {
    if (command_.interrupted()) throw Error("interrupted");
    const auto now = Clock::now();
    if (command_.deadline && now >= *command_.deadline) {
      TimeoutError error(text_.empty() ? "the guest's serial port stayed silent"
                                       : "no shell answered in time, or the command did not end");
      error.help("the guest has to offer a shell on its serial port, without a login");
      throw error;
    }
    // A signal may come just before poll(): look at the flag at least this often.
    auto rest = std::chrono::milliseconds(250);
    if (until - now < rest) rest = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    std::array<pollfd, 2> fds{
        {{port_.get(), static_cast<short>(POLLIN | more), 0}, {pidfd_.get(), POLLIN, 0}}};
    poll(fds.data(), fds.size(), static_cast<int>(rest.count()));
    if ((fds[0].revents & ~POLLOUT) != 0) take();
    if (fds[1].revents != 0) throw Error("the VM ended before the command did");
  }

  void take() {
    std::array<char, 65536> bytes{};
    const auto got = recv(port_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) throw Error("the VM ended before the command did");
    text_.append(bytes.data(), static_cast<std::size_t>(got));
    if (text_.size() > longest_output) throw Error("the command wrote more than 64 MiB");
  }

  const GuestCommand& command_;
  FileLock lock_;
  UniqueFd pidfd_, port_;
  std::string text_;
};

}  // namespace

GuestOutput run_on_serial(const LiveRecord& live, const GuestCommand& command) {
  const auto line = shell_quote(command.words);
  if (line.size() > longest_line || line.find_first_of("\n\r") != std::string::npos)
    throw UsageError("a command for the serial port is one line of at most " +
                     std::to_string(longest_line) + " characters")
        .help("a guest agent takes any");
  SerialShell shell(live, command);
  shell.await_shell();
  return shell.run(line);
}

}  // namespace qlaunch
