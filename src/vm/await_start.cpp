// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/text.hpp"
#include "host/socket.hpp"
#include "qmp/session.hpp"
#include "vm/journal.hpp"
#include "vm/start.hpp"
#include "vm/start_list.hpp"
#include "vm/steps.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <variant>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto greeting_deadline = std::chrono::seconds(60);

[[noreturn]] void throw_early_end(const Plan& plan, Reports& reports, const std::string& cause) {
  std::string how;
  while (auto report = reports.next()) {
    if (report->kind == KeeperReport::Kind::ended) how = report->text;
  }
  auto said = last_lines(log_path(plan.paths, "qemu"));
  // QEMU names the chardev that leads to a helper; why that one hung up, only its own log says.
  for (const auto& helper : plan.helpers) {
    if (said.find(helper.name) == std::string::npos) continue;
    const auto log = last_lines(log_path(plan.paths, helper.name), 5);
    if (!log.empty()) said += "\nthe helper for " + helper.serves + " said:\n" + log;
  }
  throw Error("QEMU ended before the VM ran: " + (how.empty() ? cause : how) +
              (said.empty() ? "" : '\n' + said));
}

/// Ends QEMU and waits until the keeper has tidied up after it.
void abandon(const LiveRecord& live, Reports& reports) {
  send_signal(live.qemu, SIGKILL);
  while (reports.next()) {
  }
  // Where the keeper was killed, nobody has.
  end_start(live.plan.paths.runtime);
  forget_run(live.name);
}

/// The same before there is a record: the keeper-to-be is ended, and whatever it has started.
void undo_start(const Plan& plan, const Reports& reports) {
  if (reports.keeper() >= 0) {
    syscall(SYS_pidfd_send_signal, reports.keeper(), SIGKILL, nullptr, 0);
    wait_exit(reports.keeper(), Clock::now() + std::chrono::seconds(10));
  }
  end_start(plan.paths.runtime);
  forget_run(plan.name);
}

[[noreturn]] void throw_interrupted() {
  throw Error("interrupted: the launch was undone");
}

/// Feeds what has come to the session; true once QEMU has taken its first command.
bool obeys(qmp::Session& session, int socket) {
  std::array<char, 4096> bytes{};
  const auto got = recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0) {
    session.feed(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    session.end_of_input();
  }
  while (const auto message = session.next()) {
    if (std::holds_alternative<qmp::Ready>(*message)) return true;
  }
  if (const auto text = session.outgoing(); !text.empty()) {
    const auto sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      session.sent(static_cast<std::size_t>(sent));
    } else if (errno != EINTR) {
      // A wrong device ends QEMU after its greeting: its own words say more than this error.
      session.end_of_input();
      session.next();
    }
  }
  return false;
}

UniqueFd connect_to_qmp(const LiveRecord& live, int pidfd, Reports& reports) {
  try {
    return connect_unix(live.plan.descriptor("qmp")->path);
  } catch (const Error&) {
    if (wait_exit(pidfd, Clock::now() + std::chrono::seconds(1)))
      throw_early_end(live.plan, reports, "its process ended");
    throw;
  }
}

/// Until QEMU has greeted and taken the first command: only then its devices are made. The session
/// is driven by hand so that Ctrl-C is heard at every moment, also while a device hangs.
void await_obedience(const LiveRecord& live, Reports& reports,
                     const std::function<bool()>& interrupted) {
  const auto pidfd = open_pidfd(live.qemu);
  if (!pidfd) throw_early_end(live.plan, reports, "its process is gone");
  const auto deadline = Clock::now() + greeting_deadline;
  const auto socket = connect_to_qmp(live, pidfd.get(), reports);
  qmp::Session session;
  while (!obeys(session, socket.get())) {
    if (session.closed()) throw_early_end(live.plan, reports, session.closed()->cause);
    std::array<pollfd, 2> waiting{{{socket.get(), POLLIN, 0}, {pidfd.get(), POLLIN, 0}}};
    // A signal may come just before poll(): look at least this often.
    poll(waiting.data(), waiting.size(), 250);
    if (interrupted()) {
      abandon(live, reports);
      throw_interrupted();
    }
    if (waiting[1].revents != 0) throw_early_end(live.plan, reports, "its process ended");
    if (Clock::now() > deadline) {
      abandon(live, reports);
      throw TimeoutError("QEMU did not take its first command within " +
                         format_duration(greeting_deadline) + "; it was ended");
    }
  }
}

/// Throws what the keeper says went wrong before there was a QEMU.
void await_first_report(const Plan& plan, Reports& reports,
                        const std::function<bool()>& interrupted) {
  const auto first = reports.next(interrupted);
  at_step(Step::launch_reported);
  if (!first) {
    undo_start(plan, reports);
    if (interrupted()) throw_interrupted();
    const auto log = log_path(plan.paths, "keeper");
    const auto said = last_lines(log);
    throw Error("the keeper ended before it had started QEMU" +
                (said.empty() ? std::string() : ":\n" + said));
  }
  if (first->kind != KeeperReport::Kind::failed) return;
  Error error(first->text);
  if (!first->help.empty()) error.help(first->help);
  throw error;
}

}  // namespace

LiveRecord await_start(const Plan& plan, Reports& reports,
                       const std::function<bool()>& interrupted) {
  await_first_report(plan, reports, interrupted);
  const auto live = read_live(plan.name);
  if (!live) throw_early_end(plan, reports, "its record is gone");
  try {
    await_obedience(*live, reports, interrupted);
  } catch (...) {
    // Whatever it was: nothing may run on in folders that are taken back now.
    abandon(*live, reports);
    throw;
  }
  at_step(Step::launch_obeyed);
  return *live;
}

void abandon_run(const LiveRecord& live, Reports& reports) {
  abandon(live, reports);
}

void abandon_start(const Plan& plan, Reports& reports) {
  const auto first = reports.next();
  if (!first) undo_start(plan, reports);
  if (!first || first->kind == KeeperReport::Kind::failed) return;
  if (const auto live = read_live(plan.name)) abandon(*live, reports);
}

}  // namespace qlaunch
