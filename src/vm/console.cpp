// SPDX-License-Identifier: MIT
#include "vm/console.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/socket.hpp"
#include "vm/live.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr char leave_key = 0x1d;  // Ctrl-]
// Without a terminal: how long the guest may stay silent after the last input.
constexpr int quiet_milliseconds = 1000;

volatile std::sig_atomic_t asked_to_end = 0;

/// A terminal that passes every key on, put back however this ends.
class RawTerminal {
 public:
  RawTerminal() {
    if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &before_) != 0) return;
    struct sigaction end {};
    end.sa_handler = [](int) { asked_to_end = 1; };
    for (std::size_t index = 0; index < signals.size(); ++index)
      sigaction(signals[index], &end, &handlers_[index]);
    termios raw = before_;
    cfmakeraw(&raw);
    raw_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (!raw_) return;
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    for (std::size_t index = 0; index < signals.size(); ++index)
      sigaction(signals[index], &handlers_[index], nullptr);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  bool raw() const { return raw_; }

 private:
  // A closed window or a `kill` must not leave the shell behind it in raw mode.
  static constexpr std::array signals{SIGTERM, SIGHUP, SIGINT, SIGQUIT};
  termios before_{};
  std::array<struct sigaction, signals.size()> handlers_{};
  bool raw_ = false;
};

/// False where nothing more comes.
bool copy(int from, int to, const char* what, bool* leave) {
  std::array<char, 4096> bytes{};
  const auto got = read(from, bytes.data(), bytes.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  std::string_view text(bytes.data(), static_cast<std::size_t>(got));
  if (leave != nullptr) {
    const auto key = text.find(leave_key);
    *leave = key != std::string_view::npos;
    text = text.substr(0, key);
  }
  write_all(to, text, what);
  return true;
}

}  // namespace

ConsoleEnd run_console(const std::string& name) {
  const auto live = require_running(name);
  const auto* serial = live.plan.descriptor("serial");
  if (serial == nullptr)
    throw StateError("VM " + in_backticks(name) + " has no serial port")
        .help("set `type = \"isa\"` in [serial]");
  // QEMU lets in one client and leaves a second one waiting without a word.
  FileLock lock(live.plan.paths.runtime + "/console.lock");
  if (!lock.try_lock()) {
    const auto holder = lock.holder();
    throw StateError("another console is open on VM " + in_backticks(name) +
                     (holder ? " (pid " + std::to_string(*holder) + ')' : ""))
        .help("leave it there with Ctrl-]");
  }
  const auto port = connect_unix(serial->path);
  asked_to_end = 0;
  const RawTerminal terminal;
  bool input = true;
  for (;;) {
    std::array<pollfd, 2> fds{{{port.get(), POLLIN, 0}, {input ? STDIN_FILENO : -1, POLLIN, 0}}};
    const int ready = poll(fds.data(), fds.size(), input ? -1 : quiet_milliseconds);
    if (asked_to_end != 0) return ConsoleEnd::detached;
    if (ready < 0 && errno != EINTR) throw system_error("cannot wait", errno);
    if (ready == 0) return ConsoleEnd::input_ended;
    if (ready < 0) continue;
    if (fds[0].revents != 0 && !copy(port.get(), STDOUT_FILENO, "the terminal", nullptr))
      return ConsoleEnd::vm_ended;
    if (fds[1].revents != 0) {
      bool leave = false;
      input = copy(STDIN_FILENO, port.get(), "the serial port", terminal.raw() ? &leave : nullptr);
      if (leave) return ConsoleEnd::detached;
    }
  }
}

}  // namespace qlaunch
