// SPDX-License-Identifier: MIT
#include "vm/start.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "host/spawn.hpp"
#include "qmp/session.hpp"
#include "vm/journal.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <variant>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// Long enough for a busy machine; a helper that works is ready in milliseconds.
constexpr auto helper_deadline = std::chrono::seconds(20);
constexpr auto greeting_deadline = std::chrono::seconds(60);

std::string log_of(const VmPaths& paths, const std::string& name) {
  return paths.state + '/' + name + ".log";
}

/// Listening sockets for a command, under the numbers that it will know them by.
class Sockets {
 public:
  explicit Sockets(const Command& command) {
    for (const auto& descriptor : command.descriptors) {
      owned_.push_back(listen_unix(descriptor.path));
      numbers_[descriptor.number] = owned_.back().get();
    }
  }
  const std::map<int, int>& numbers() const { return numbers_; }

 private:
  std::vector<UniqueFd> owned_;
  std::map<int, int> numbers_;
};

SpawnOptions spawn_options(const Command& command, const Sockets& sockets, const std::string& log) {
  SpawnOptions options;
  options.argv = command.argv();
  options.descriptors = sockets.numbers();
  for (const auto& variable : command.variables) {
    if (std::getenv(variable.name.c_str()) == nullptr)
      options.environment.push_back(variable.name + '=' + variable.value);
  }
  options.stdout_path = log;
  options.stderr_path = log;
  // A logout signals a whole session or control group: only the keeper is to hear it, so that it
  // can stop the guest properly.
  options.new_session = true;
  options.block_signals = true;
  return options;
}

Child start_helper(const Helper& helper, const VmPaths& paths) {
  const auto log = log_of(paths, helper.name);
  const Sockets sockets(helper.command);
  auto options = spawn_options(helper.command, sockets, log);
  options.readonly_folder = helper.readonly_folder;
  auto child = spawn(options);
  if (helper.socket_by_descriptor) return child;
  if (wait_for_socket(helper.socket, child.pidfd.get(), Clock::now() + helper_deadline))
    return child;
  const bool ended = wait_exit(child.pidfd.get(), Clock::now());
  const int status = kill_and_reap(child);
  const auto said = last_lines(log);
  throw Error(
      "the helper for " + helper.serves + ", " + helper.command.program + ", " +
      (ended ? "ended at once with " + describe_exit(status) : "did not open its socket in time") +
      (said.empty() ? "" : ":\n" + said));
}

/// Helpers and QEMU; whatever was started is ended where a later one fails.
LiveRecord start_all(const Plan& plan) {
  std::vector<Child> started;
  LiveRecord live;
  try {
    live.name = plan.name;
    live.plan = plan;
    live.forwards = plan.forwards;
    live.keeper = identify(getpid()).value_or(ProcessId{});
    for (const auto& helper : plan.helpers) {
      started.push_back(start_helper(helper, plan.paths));
      live.helpers.push_back({helper.name, helper.serves, started.back().id});
    }
    const Sockets sockets(plan.qemu);
    started.push_back(spawn(spawn_options(plan.qemu, sockets, qemu_log(plan.paths))));
    live.qemu = started.back().id;
    live.started = timestamp();
    write_live(live);
    return live;
  } catch (...) {
    for (const auto& child : started) kill_and_reap(child);
    throw;
  }
}

/// Becomes the keeper: QEMU and the helpers stay its children over exec, so that it learns how they
/// end, while the memory of `up` is gone.
[[noreturn]] void become_keeper(const Plan& plan, int report) {
  setsid();
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(nothing.get(), 0);
  dup2(nothing.get(), 1);
  const auto log = log_of(plan.paths, "keeper");
  const UniqueFd errors(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  dup2(errors ? errors.get() : nothing.get(), 2);
  // Sockets, logs and what QEMU itself makes (a VNC socket) are for this user alone.
  umask(077);
  sigset_t stopping;
  sigemptyset(&stopping);
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    sigaddset(&stopping, signal);
    std::signal(signal, SIG_DFL);
  }
  sigprocmask(SIG_BLOCK, &stopping, nullptr);
  if (chdir("/") != 0) _exit(1);
  try {
    start_all(plan);
    send_report(report, {KeeperReport::Kind::started, "", ""});
  } catch (const Error& error) {
    const auto& first = error.diagnostics().front();
    send_report(report, {KeeperReport::Kind::failed, first.message, join(first.help, "\n")});
    _exit(1);
  } catch (const std::exception& error) {
    send_report(report, {KeeperReport::Kind::failed, error.what(), ""});
    _exit(1);
  }
  fcntl(report, F_SETFD, 0);
  const auto number = std::to_string(report);
  // By this link it is the same program also when the file was replaced meanwhile.
  execl("/proc/self/exe", "qlaunch", "keeper", plan.name.c_str(), "--report", number.c_str(),
        nullptr);
  _exit(1);
}

/// The report pipe's reading end.
class Reports {
 public:
  explicit Reports(UniqueFd pipe) : pipe_(std::move(pipe)) {}

  /// The next report; nothing when the keeper has gone.
  std::optional<KeeperReport> next() {
    for (;;) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        const auto json = Json::parse(buffer_.substr(0, end), nullptr, false);
        buffer_.erase(0, end + 1);
        if (!json.is_object()) continue;
        return KeeperReport{static_cast<KeeperReport::Kind>(json.value("kind", 0)),
                            json.value("text", ""), json.value("help", "")};
      }
      std::array<char, 4096> bytes{};
      const auto got = read(pipe_.get(), bytes.data(), bytes.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  UniqueFd pipe_;
  std::string buffer_;
};

[[noreturn]] void throw_early_end(const Plan& plan, Reports& reports, const std::string& cause) {
  std::string how;
  while (auto report = reports.next()) {
    if (report->kind == KeeperReport::Kind::ended) how = report->text;
  }
  auto said = last_lines(qemu_log(plan.paths));
  // QEMU names the chardev that leads to a helper; why that one hung up, only its own log says.
  for (const auto& helper : plan.helpers) {
    if (said.find(helper.name) == std::string::npos) continue;
    const auto log = last_lines(log_of(plan.paths, helper.name), 5);
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
  if (!session.outgoing().empty()) {
    const auto text = std::string(session.outgoing());
    write_all(socket, text, "the QMP socket");
    session.sent(text.size());
  }
  return false;
}

/// Until QEMU has greeted and taken the first command: only then its devices are made. The session
/// is driven by hand so that Ctrl-C is heard at every moment, also while a device hangs.
void await_obedience(const LiveRecord& live, Reports& reports,
                     const std::function<bool()>& interrupted) {
  const auto pidfd = open_pidfd(live.qemu);
  if (!pidfd) throw_early_end(live.plan, reports, "its process is gone");
  const auto deadline = Clock::now() + greeting_deadline;
  const auto socket = connect_unix(live.plan.descriptor("qmp")->path);
  qmp::Session session;
  while (!obeys(session, socket.get())) {
    if (session.closed()) throw_early_end(live.plan, reports, session.closed()->cause);
    std::array<pollfd, 2> waiting{{{socket.get(), POLLIN, 0}, {pidfd.get(), POLLIN, 0}}};
    // A signal may come just before poll(): look at least this often.
    poll(waiting.data(), waiting.size(), 250);
    if (interrupted()) {
      abandon(live, reports);
      throw Error("interrupted: the launch was undone");
    }
    if (waiting[1].revents != 0) throw_early_end(live.plan, reports, "its process ended");
    if (Clock::now() > deadline) {
      abandon(live, reports);
      throw TimeoutError("QEMU did not take its first command within " +
                         format_duration(greeting_deadline) + "; it was ended");
    }
  }
}

}  // namespace

void send_report(int fd, const KeeperReport& report) {
  if (fd < 0) return;
  const Json json = {
      {"kind", static_cast<int>(report.kind)}, {"text", report.text}, {"help", report.help}};
  const auto line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  if (write(fd, line.data(), line.size()) < 0) return;
}

std::string qemu_log(const VmPaths& paths) {
  return log_of(paths, "qemu");
}

std::string last_lines(const std::string& path, std::size_t count) {
  const auto text = try_read_file(path);
  if (!text) return {};
  auto lines = split(trim(*text), '\n');
  for (auto& line : lines) line = trim(line);
  if (lines.size() > count)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return join(lines, "\n");
}

LiveRecord start_processes(const Plan& plan, const std::function<bool()>& interrupted) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) throw system_error("cannot start a process", errno);
  if (child == 0) become_keeper(plan, writing.get());
  writing.reset();

  Reports reports(std::move(reading));
  const auto first = reports.next();
  if (!first)
    throw Error("the keeper ended before it had started QEMU: see " + log_of(plan.paths, "keeper"));
  if (first->kind == KeeperReport::Kind::failed) {
    Error error(first->text);
    if (!first->help.empty()) error.help(first->help);
    throw error;
  }
  const auto live = read_live(plan.name);
  if (!live) throw_early_end(plan, reports, "its record is gone");
  await_obedience(*live, reports, interrupted);
  return *live;
}

}  // namespace qlaunch
