// SPDX-License-Identifier: MIT
#include "vm/start.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/bridge.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "host/spawn.hpp"
#include "vm/journal.hpp"
#include "vm/start_list.hpp"
#include "vm/steps.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough for a busy machine; a helper that works is ready in milliseconds.
constexpr auto helper_deadline = std::chrono::seconds(20);

/// Lasts as long as somebody has it open: QEMU, or who saves it.
UniqueFd memory_file(std::uint64_t bytes) {
  UniqueFd file(memfd_create("guest-memory", MFD_CLOEXEC));
  if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    throw system_error("cannot make a file for the guest's memory", errno);
  return file;
}

/// Listening sockets, tap devices and memory for a command, under the numbers that it will know
/// them by.
class Sockets {
 public:
  explicit Sockets(const Command& command) {
    for (const auto& descriptor : command.descriptors) {
      owned_.push_back(descriptor.memory != 0 ? memory_file(descriptor.memory)
                       : descriptor.bridge.empty()
                           ? listen_unix(descriptor.path)
                           : open_bridge_tap(descriptor.helper, descriptor.bridge));
      numbers_[descriptor.number] = owned_.back().get();
    }
  }
  const std::map<int, int>& numbers() const { return numbers_; }

 private:
  std::vector<UniqueFd> owned_;
  std::map<int, int> numbers_;
};

SpawnOptions spawn_options(const Command& command, const Sockets& sockets, const std::string& log,
                           int announce) {
  SpawnOptions options;
  options.announce = announce;
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

Child start_helper(const Helper& helper, const VmPaths& paths, int announce) {
  const auto log = log_path(paths, helper.name);
  const Sockets sockets(helper.command);
  auto options = spawn_options(helper.command, sockets, log, announce);
  options.readonly_folder = helper.readonly_folder;
  options.user_namespace = helper.user_namespace;
  auto child = spawn(options);
  at_step(Step::helper_started);
  if (helper.socket_by_descriptor) return child;
  if (wait_for_socket(helper.socket, child.pidfd.get(), Clock::now() + helper_deadline))
    return child;
  const bool ended = wait_exit(child.pidfd.get(), Clock::now());
  const int status = kill_and_reap(child);
  const auto said = last_lines(log);
  throw Error("the helper for " + helper.serves + ", " + helper.command.program + ", " +
              (ended ? (WIFSIGNALED(status) ? "was at once " : "ended at once with ") +
                           describe_exit(status)
                     : "did not open its socket in time") +
              (said.empty() ? "" : ":\n" + said));
}

/// Helpers and QEMU; whatever was started is ended where a later one fails.
LiveRecord start_all(const Plan& plan) {
  std::vector<Child> started;
  const auto list = begin_start_list(plan.paths.runtime);
  at_step(Step::keeper_born);
  LiveRecord live;
  try {
    live.name = plan.name;
    live.plan = plan;
    live.forwards = plan.forwards;
    live.keeper = identify(getpid()).value_or(ProcessId{});
    for (const auto& helper : plan.helpers) {
      started.push_back(start_helper(helper, plan.paths, list.get()));
      at_step(Step::helper_ready);
      live.helpers.push_back({helper.name, helper.serves, started.back().id});
    }
    const Sockets sockets(plan.qemu);
    started.push_back(
        spawn(spawn_options(plan.qemu, sockets, log_path(plan.paths, "qemu"), list.get())));
    at_step(Step::qemu_started);
    live.qemu = started.back().id;
    live.started = timestamp();
    write_live(live);
    at_step(Step::run_recorded);
    return live;
  } catch (...) {
    for (const auto& child : started) kill_and_reap(child);
    throw;
  }
}

/// What whoever called `up` had open (a lock, a pipe) must not stay open as long as the VM runs.
void keep_nothing_open() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    if (fd > 2) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

/// Becomes the keeper: QEMU and the helpers stay its children over exec, so that it learns how they
/// end, while the memory of `up` is gone.
[[noreturn]] void become_keeper(const Plan& plan, int report) {
  setsid();
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(nothing.get(), 0);
  dup2(nothing.get(), 1);
  const auto log = log_path(plan.paths, "keeper");
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
  keep_nothing_open();
  // Relative to where `up` was called, not to where the keeper will be.
  if (const char* home = std::getenv("QLAUNCH_HOME"); home != nullptr && *home != '\0')
    setenv("QLAUNCH_HOME", std::filesystem::absolute(home).c_str(), 1);
  if (chdir("/") != 0) _exit(1);
  try {
    start_all(plan);
    send_report(report, {KeeperReport::Kind::started, "", ""});
    at_step(Step::run_reported);
  } catch (const Error& error) {
    const auto& first = error.diagnostics().front();
    send_report(report, {KeeperReport::Kind::failed, first.message, join(first.help, "\n")});
    _exit(1);
  } catch (const std::exception& error) {
    send_report(report, {KeeperReport::Kind::failed, error.what(), ""});
    _exit(1);
  }
  // It has all the time in the world; the VM and the command that waits for it have not.
  setpriority(PRIO_PROCESS, 0, 10);
  fcntl(report, F_SETFD, 0);
  const auto number = std::to_string(report);
  // By this link it is the same program also when the file was replaced meanwhile.
  execl("/proc/self/exe", "qlaunch", "keeper", plan.name.c_str(), "--report", number.c_str(),
        nullptr);
  _exit(1);
}

}  // namespace

Reports start_processes(const Plan& plan) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
  UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) throw system_error("cannot start a process", errno);
  if (child == 0) become_keeper(plan, writing.get());
  // A child that was not waited for keeps its pid.
  UniqueFd keeper(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  at_step(Step::launch_forked);
  return Reports(std::move(reading), std::move(keeper));
}

}  // namespace qlaunch
