// SPDX-License-Identifier: MIT
#include "vm/wait.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/agent_socket.hpp"
#include "vm/journal.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"
#include "vm/waiting.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

bool wait_serial(const Waiting& waiting, const std::string& text) {
  const auto& path = waiting.live.plan.serial_log;
  if (path.empty())
    throw StateError("VM " + in_backticks(waiting.live.name) +
                     " keeps no log of its serial port, so no text can be waited for")
        .help("set `log = true` in [serial]");
  const UniqueFd notify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  inotify_add_watch(notify.get(), path.c_str(), IN_MODIFY);
  for (;;) {
    // The watch stands before the look: what comes in between wakes it.
    const auto log = try_read_file(path, std::size_t{256} << 20);
    if (log && log->find(text) != std::string::npos) return true;
    const auto woken = waiting.until(notify.get(), waiting.deadline);
    if (woken == Waiting::Woken::interrupted) return false;
    if (woken == Waiting::Woken::time) {
      const auto seen = last_lines(path, 5);
      TimeoutError error(in_backticks(text) + " did not come out of the serial port");
      error.help(seen.empty() ? "nothing has come out of it yet" : "its last lines are:\n" + seen);
      throw error;
    }
    std::array<char, 4096> events{};
    while (read(notify.get(), events.data(), events.size()) > 0) {
    }
  }
}

bool wait_agent(const Waiting& waiting) {
  for (;;) {
    try {
      qmp::AgentOptions options;
      options.reply = std::chrono::milliseconds(500);
      AgentSocket socket(waiting.live, options.reply, options);
      socket.agent().ping();
      return true;
    } catch (const qmp::Error&) {
      if (!alive(waiting.live.qemu)) waiting.throw_ended();
    } catch (const TimeoutError&) {  // NOLINT(bugprone-empty-catch)
      // Another command asks it something just now.
    }
    if (Clock::now() >= waiting.deadline)
      throw TimeoutError("no guest agent answers in VM " + in_backticks(waiting.live.name));
    const auto pause = Clock::now() + std::chrono::milliseconds(100);
    if (waiting.until(-1, pause) == Waiting::Woken::interrupted) return false;
  }
}

bool wait_stopped(const std::string& name, Duration timeout,
                  const std::function<bool()>& interrupted) {
  const auto live = read_live(name);
  if (!live) return true;
  const auto deadline = Clock::now() + timeout;
  // The keeper goes last: when it is gone, everything is tidy.
  for (const auto& process : {live->qemu, live->keeper}) {
    const auto pidfd = open_pidfd(process);
    while (pidfd &&
           !wait_exit(pidfd.get(), std::min<Clock::time_point>(
                                       deadline, Clock::now() + std::chrono::seconds(1)))) {
      if (interrupted()) return false;
      if (Clock::now() >= deadline) throw TimeoutError("VM " + in_backticks(name) + " still runs");
    }
  }
  return true;
}

}  // namespace

Waiting::Woken Waiting::until(int fd, Clock::time_point until) const {
  for (;;) {
    if (interrupted()) return Woken::interrupted;
    const auto now = Clock::now();
    const auto end = std::min(until, deadline);
    if (now >= end) return Woken::time;
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(end - now).count();
    std::array<pollfd, 2> fds{{{pidfd.get(), POLLIN, 0}, {fd, POLLIN, 0}}};
    // A signal may come just before poll(): look at the flag at least this often.
    const int ready = poll(fds.data(), fds.size(), static_cast<int>(std::min<long>(rest, 500)) + 1);
    if (ready < 0 && errno != EINTR) throw system_error("cannot wait", errno);
    if (ready <= 0) continue;
    if (fds[1].revents != 0) return Woken::fact;
    if (fds[0].revents != 0) throw_ended();
  }
}

void Waiting::throw_ended() const {
  // The keeper writes down how it ended before it goes.
  if (const auto keeper = open_pidfd(live.keeper))
    wait_exit(keeper.get(), Clock::now() + std::chrono::seconds(5));
  const auto end = read_end(live.name);
  throw StateError("VM " + in_backticks(live.name) + " ended while it was waited for" +
                   (end ? ": " + end->text : ""));
}

WaitFor parse_wait_for(const std::string& text) {
  WaitFor what;
  const auto value = [&](std::string_view key) { return text.substr(key.size()); };
  if (text == "ready") {
    what.ready = true;
  } else if (text == "stopped") {
    what.stopped = true;
  } else if (text == "started") {
    what.when.kind = ReadyWhen::Kind::started;
  } else if (text == "ssh") {
    what.when.kind = ReadyWhen::Kind::ssh;
  } else if (text == "agent") {
    what.when.kind = ReadyWhen::Kind::agent;
  } else if (text == "provisioned") {
    what.when.kind = ReadyWhen::Kind::provisioned;
  } else if (text.starts_with("serial:") && text.size() > 7) {
    what.when.kind = ReadyWhen::Kind::serial;
    what.when.text = value("serial:");
  } else if (text.starts_with("port:")) {
    const auto port = parse_unsigned(value("port:"));
    if (!port || *port == 0 || *port > 65535) {
      ValueError error(in_backticks(text) + " names no port");
      error.help("write a guest's port from 1 to 65535, as in \"port:80\"");
      throw error;
    }
    what.when.kind = ReadyWhen::Kind::port;
    what.when.port = static_cast<std::uint16_t>(*port);
  } else {
    ValueError error(in_backticks(text) + " is nothing that can be waited for");
    error.help("use ready, started, ssh, agent, provisioned, stopped, serial:TEXT or port:N");
    throw error;
  }
  return what;
}

std::string describe(const WaitFor& what, const std::string& name) {
  if (what.stopped) return "the end of " + in_backticks(name);
  auto when = what.when;
  const auto live = read_live(name);
  if (what.ready && live) when = live->plan.ready.when;
  switch (when.kind) {
    case ReadyWhen::Kind::ssh:
      if (live) {
        if (const auto* planned = forward_to(*live, 22))
          return "ssh on " + planned->forward.host_address + ':' +
                 std::to_string(planned->forward.host_port);
      }
      return "ssh";
    case ReadyWhen::Kind::agent:
      return "the guest agent";
    case ReadyWhen::Kind::serial:
      return in_backticks(when.text) + " on the serial port";
    case ReadyWhen::Kind::port:
      return "port " + std::to_string(when.port) + " of the guest";
    case ReadyWhen::Kind::provisioned:
      return "the end of provisioning";
    case ReadyWhen::Kind::started:
      break;
  }
  return "QEMU";
}

bool wait_for(const std::string& name, const WaitFor& what, Duration timeout,
              const std::function<bool()>& interrupted) {
  if (what.stopped) return wait_stopped(name, timeout, interrupted);
  auto live = require_running(name);
  auto pidfd = open_pidfd(live.qemu);
  auto when = what.ready ? live.plan.ready.when : what.when;
  const Waiting waiting{std::move(live), std::move(pidfd), Clock::now() + timeout, interrupted};
  if (!waiting.pidfd) waiting.throw_ended();
  switch (when.kind) {
    case ReadyWhen::Kind::ssh:
      return wait_ssh(waiting);
    case ReadyWhen::Kind::agent:
      return wait_agent(waiting);
    case ReadyWhen::Kind::serial:
      return wait_serial(waiting, when.text);
    case ReadyWhen::Kind::port:
      return wait_port(waiting, when.port);
    case ReadyWhen::Kind::provisioned:
      return wait_provisioned(waiting);
    case ReadyWhen::Kind::started:
      break;
  }
  return true;
}

}  // namespace qlaunch
