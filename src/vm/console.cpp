// SPDX-License-Identifier: MIT
#include "vm/console.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/socket.hpp"
#include "vm/live.hpp"
#include "vm/raw_terminal.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr char leave_key = 0x1d;  // Ctrl-]
// Without a terminal: how long the guest may stay silent after the last input.
constexpr int quiet_milliseconds = 1000;
constexpr std::size_t enough_pending = 65536;

/// Adds what can be read to `text`; false where nothing more comes.
bool take(int from, std::string& text) {
  std::array<char, 4096> bytes{};
  const auto got = read(from, bytes.data(), bytes.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  text.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

/// Sends what the guest takes without waiting for it; false where the port has gone.
bool pass_on(std::string& text, int port) {
  const auto sent = send(port, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  text.erase(0, static_cast<std::size_t>(sent));
  return true;
}

/// False where the reader of our output has gone, or a signal asks to end while it does not read.
bool show(const RawTerminal& terminal, std::string_view text) {
  constexpr std::size_t piece = 512;
  while (!text.empty()) {
    pollfd out{STDOUT_FILENO, POLLOUT, 0};
    terminal.wait(&out, 1, -1);
    if (RawTerminal::signal() != 0) return false;
    if (out.revents == 0) continue;
    const auto written = write(STDOUT_FILENO, text.data(), std::min(text.size(), piece));
    if (written < 0 && errno == EPIPE) return false;
    if (written < 0 && errno != EINTR) throw system_error("cannot write the output", errno);
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

ConsoleEnd run_console(const std::string& name, const std::function<void()>& connected) {
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
  if (connected) connected();
  const RawTerminal terminal;
  bool input = true;
  // For the guest, which may be paused or slow: Ctrl-] is to be heard all the same, so a terminal
  // is always read; a file can wait.
  std::string pending;
  for (;;) {
    const bool room = terminal.raw() || pending.size() < enough_pending;
    const short port_events = pending.empty() ? POLLIN : POLLIN | POLLOUT;
    std::array<pollfd, 2> fds{
        {{port.get(), port_events, 0}, {input && room ? STDIN_FILENO : -1, POLLIN, 0}}};
    const bool waits = input || !pending.empty();
    const int ready = terminal.wait(fds.data(), fds.size(), waits ? -1 : quiet_milliseconds);
    if (RawTerminal::signal() != 0) return ConsoleEnd::signal;
    if (ready < 0 && errno != EINTR) throw system_error("cannot wait", errno);
    if (ready == 0) return ConsoleEnd::input_ended;
    if (ready < 0) continue;
    if ((fds[0].revents & ~POLLOUT) != 0) {
      std::string said;
      if (!take(port.get(), said)) return ConsoleEnd::vm_ended;
      if (!show(terminal, said))
        return RawTerminal::signal() != 0 ? ConsoleEnd::signal : ConsoleEnd::detached;
    }
    bool leave = false;
    if (fds[1].revents != 0) {
      const auto before = pending.size();
      input = take(STDIN_FILENO, pending);
      const auto key = terminal.raw() ? pending.find(leave_key, before) : std::string::npos;
      leave = key != std::string::npos;
      if (leave) pending.resize(key);
    }
    if (!pending.empty() && !pass_on(pending, port.get())) {
      // What it said last can still be read.
      pending.clear();
      input = false;
    }
    if (leave) return ConsoleEnd::detached;
  }
}

}  // namespace qlaunch
