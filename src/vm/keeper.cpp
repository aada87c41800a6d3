// SPDX-License-Identifier: MIT
#include "vm/keeper.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"
#include "vm/clock_watch.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/end.hpp"
#include "vm/ephemeral.hpp"
#include "vm/guest_watch.hpp"
#include "vm/journal.hpp"
#include "vm/keeper_monitor.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"
#include "vm/report.hpp"
#include "vm/sleep_watch.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/state/state_watch.hpp"
#include "vm/state/suspended.hpp"
#include "vm/steps.hpp"
#include "vm/takeover.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

/// How long a helper may take to end by itself after QEMU has gone.
constexpr auto helper_patience = std::chrono::seconds(2);
/// A helper that ends because QEMU does may be seen first.
constexpr auto end_together = std::chrono::milliseconds(300);
/// Lost connections are rare, and each try costs nothing.
constexpr auto connect_again = std::chrono::seconds(2);

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// How a child of ours ended; empty for one of another process.
std::string exit_of(const ProcessId& process) {
  int status = 0;
  return waitpid(process.pid, &status, WNOHANG) == process.pid ? describe_exit(status) : "";
}

class Keeper {
 public:
  Keeper(LiveRecord live, const KeeperTask& task)
      : live_(std::move(live)),
        task_(task),
        qemu_(open_pidfd(live_.qemu)),
        monitor_(live_, qemu_.get()),
        state_watch_(live_, monitor_) {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : {SIGTERM, SIGHUP, SIGINT, press_signal}) sigaddset(&watched, signal);
    sigprocmask(SIG_BLOCK, &watched, nullptr);
    signals_.reset(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    for (const auto& helper : live_.helpers) helpers_.push_back(open_pidfd(helper.process));
    seen_.taken_over = task_.lock >= 0;
  }

  void run() {
    if (seen_.taken_over) {
      begin_anew();
    } else {
      journal(live_.name, "STARTED", dump({{"pid", live_.qemu.pid}}));
    }
    at_step(Step::keeper_watching);
    connect();
    guest_watch_.begin();
    while (qemu_ && !wait_exit(qemu_.get(), Clock::now())) step();
    take_events();
    at_step(Step::qemu_ended);
    finish();
  }

 private:
  using Alarm = std::optional<Clock::time_point>;

  /// Writes itself down as the keeper, and lets the command go on that has started it.
  void begin_anew() {
    live_.keeper = identify(getpid()).value_or(ProcessId{});
    live_.unwatched = Unwatched{std::max(last_time(live_.name), live_.started), ""};
    write_succession(live_.name, {live_.qemu, live_.keeper, *live_.unwatched});
    Json gone = Json::array();
    for (std::size_t index = 0; index < helpers_.size(); ++index) {
      if (!helpers_[index]) gone.push_back(live_.helpers[index].name);
    }
    journal(live_.name, "KEEPER_REPLACED",
            dump({{"pid", live_.keeper.pid},
                  {"unseen_since", live_.unwatched->from},
                  {"helpers_gone", gone}}));
    close(task_.lock);
    at_step(Step::takeover_recorded);
    send_report(task_.report, {KeeperReport::Kind::started, "", ""});
    close(task_.report);
    task_.report = -1;
  }

  void connect() {
    connect_at_.reset();
    if (!monitor_.connect()) lost();
  }

  void lost() {
    if (wait_exit(qemu_.get(), Clock::now())) return;
    if (!live_.unwatched || !live_.unwatched->until.empty()) {
      journal(live_.name, "MONITOR_LOST", dump({{"cause", monitor_.lost()}}));
      live_.unwatched = Unwatched{timestamp(), ""};
    }
    connect_at_ = Clock::now() + connect_again;
  }

  /// From here on events are seen.
  void greeted() {
    at_step(Step::keeper_connected);
    // Whoever loads its state, or was killed while it saved it and there was no keeper.
    state_watch_.look();
    if (!live_.unwatched || !live_.unwatched->until.empty()) return;
    live_.unwatched->until = timestamp();
    const auto state = monitor_.state();
    if (state == "guest-panicked") seen_.panicked = true;
    if (state == "paused") clock_.stands_still();
    if (state == "paused") guest_watch_.stands_still();
    if (state == "running") guest_watch_.goes_on();
    journal(live_.name, "WATCHING_AGAIN",
            dump({{"unseen_from", live_.unwatched->from},
                  {"unseen_until", live_.unwatched->until},
                  {"state", state}}));
    take_events();
    if (!seen_.taken_over) return;
    try {
      write_succession(live_.name, {live_.qemu, live_.keeper, *live_.unwatched});
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // A full disk; the journal tells it, too.
    }
  }

  void step() {
    std::vector<pollfd> waiting{
        {qemu_.get(), POLLIN, 0},          {signals_.get(), POLLIN, 0},
        {monitor_.fd(), POLLIN, 0},        {sleep_.fd(), POLLIN, 0},
        {state_watch_.fd(), POLLIN, 0},    {guest_watch_.fds()[0], POLLIN, 0},
        {guest_watch_.fds()[1], POLLIN, 0}};
    const std::size_t first_helper = waiting.size();
    for (const auto& helper : helpers_) waiting.push_back({helper.get(), POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), poll_timeout()) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) take_signals();
    if (waiting[2].revents != 0) take_events();
    if (waiting[3].revents != 0) clock_.host_slept(sleep_.look());
    if (waiting[4].revents != 0) state_worker_ended();
    for (std::size_t index = 0; index < helpers_.size(); ++index) {
      if (waiting[index + first_helper].revents != 0) helper_ended(index);
    }
    if (due(connect_at_)) connect();
    guest_watch_.look();
    if (due(press_at_)) {
      press_at_ = Clock::now() + press_again;
      const bool heard = press(std::min(*press_at_, *stop_by_));
      at_step(Step::stop_pressed);
      if (!heard) quit();
    }
    if (due(stop_by_)) {
      journal(live_.name, "SHUTDOWN_TIMEOUT");
      quit();
    }
    if (due(kill_at_)) end_by_signal();
  }

  bool press(Clock::time_point until) {
    const bool heard = monitor_.press(until);
    // What came before the answer is not waiting in the socket any more.
    take_events();
    return heard;
  }

  static bool due(const Alarm& alarm) { return alarm && Clock::now() >= *alarm; }

  /// Rounded up: poll() must not come back just before the time.
  int poll_timeout() const {
    Alarm next;
    for (const auto& alarm : {press_at_, stop_by_, kill_at_, connect_at_, guest_watch_.next()}) {
      if (alarm && (!next || *alarm < *next)) next = alarm;
    }
    return next ? qmp::Deadline(*next).poll_timeout() : -1;
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (static_cast<int>(info.ssi_signo) == press_signal) {
        press(Clock::now() + press_again);
        continue;
      }
      const auto name = std::string("SIG") + sigabbrev_np(static_cast<int>(info.ssi_signo));
      journal(live_.name, "STOP_REQUESTED", dump({{"signal", name}}));
      // A logout sends several signals at once; they are one request.
      if (!seen_.asked.empty()) continue;
      seen_.asked = name;
      if (live_.plan.shutdown.on_host == OnHostShutdown::suspend && state_watch_.suspend())
        continue;
      begin_shutdown();
    }
  }

  void begin_shutdown() {
    stop_by_ = Clock::now() + live_.plan.shutdown.timeout;
    press_at_ = Clock::now();
    at_step(Step::stop_asked);
  }

  void state_worker_ended() {
    const bool own = state_watch_.ended();
    take_events();
    // What could not be saved is shut down after all.
    if (own && !wait_exit(qemu_.get(), Clock::now() + end_together)) begin_shutdown();
  }

  void quit() {
    press_at_.reset();
    stop_by_.reset();
    const bool told = monitor_.quit();
    at_step(Step::stop_quit);
    if (!told) return end_by_signal();
    kill_at_ = Clock::now() + quit_patience;
  }

  void end_by_signal() {
    kill_at_.reset();
    seen_.killed = send_signal(live_.qemu, SIGKILL);
  }

  void take_events() {
    const bool before = monitor_.fd() >= 0;
    if (monitor_.take([this](const qmp::Event& event) { note(event); })) greeted();
    if (before && monitor_.fd() < 0) lost();
  }

  void note(const qmp::Event& event) {
    const auto& data = event.data;
    journal(live_.name, event.name, data.is_null() ? "" : dump(data));
    if (event.name == "SHUTDOWN" && data.is_object()) seen_.shutdown = data.value("reason", "");
    if (event.name == "GUEST_PANICKED") seen_.panicked = true;
    if (event.name == "POWERDOWN") seen_.powered_down = true;
    if (event.name == "STOP" || event.name == "MIGRATION") state_watch_.look();
    if (event.name == "STOP") clock_.stands_still();
    if (event.name == "RESUME") clock_.goes_on();
    guest_watch_.note(event);
    // It has started anew: what it does from now on is another story.
    if (event.name == "RESET") {
      seen_.panicked = seen_.powered_down = false;
      seen_.shutdown.clear();
    }
  }

  void helper_ended(std::size_t index) {
    const auto& helper = live_.helpers[index];
    helpers_[index].reset();
    const auto how = exit_of(helper.process);
    // They end with QEMU, which is no news.
    if ((how.empty() || how == describe_exit(0)) &&
        (!seen_.shutdown.empty() || wait_exit(qemu_.get(), Clock::now() + end_together)))
      return;
    journal(live_.name, "HELPER_EXITED",
            dump({{"helper", helper.name},
                  {"serves", helper.serves},
                  {"exit", how.empty() ? Json() : Json(how)},
                  {"said", last_lines(log_path(live_.plan.paths, helper.name), 3)}}));
  }

  void stop_helpers() {
    for (std::size_t index = 0; index < helpers_.size(); ++index) {
      if (!helpers_[index]) continue;
      // They end by themselves when QEMU hangs up.
      if (!wait_exit(helpers_[index].get(), Clock::now() + helper_patience))
        send_signal(live_.helpers[index].process, SIGKILL);
    }
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }

  /// Out of the way in one step: a new start that finds the folder gone makes it anew at once.
  void remove_runtime() const {
    const std::filesystem::path runtime(live_.plan.paths.runtime);
    const auto ended = runtime.parent_path() / (".ended-" + std::to_string(getpid()));
    remove_tree(rename(runtime.c_str(), ended.c_str()) == 0 ? ended.string() : runtime.string());
  }

  EndOfRun end() {
    int status = 0;
    if (waitpid(live_.qemu.pid, &status, 0) == live_.qemu.pid) seen_.status = status;
    seen_.said = last_lines(log_path(live_.plan.paths, "qemu"), 10);
    seen_.suspended = suspended_by(live_.name, live_.qemu);
    return describe_end(seen_, timestamp());
  }

  void finish() {
    guest_watch_.end();
    const auto how = end();
    end_ssh(live_.plan.paths.runtime);
    stop_helpers();
    at_step(Step::helpers_ended);
    try {
      settle_overlays(live_.plan.paths.data);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Whoever uses the disks next has to, and says why it cannot.
    }
    try {
      write_end(live_.name, how);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // A full disk; the sockets are to go all the same.
    }
    at_step(Step::end_recorded);
    Json told{{"reason", how.reason}, {"text", how.text}};
    told["exit"] = how.exit.empty() ? Json() : Json(how.exit);
    if (!how.said.empty()) told["said"] = how.said;
    journal(live_.name, "ENDED", dump(told));
    remove_runtime();
    at_step(Step::runtime_removed);
    // Last: until then a new start waits for this process, and so keeps out of its way.
    forget_run(live_.name);
    if (is_ephemeral(live_.plan.paths)) remove_ephemeral(live_.plan.paths);
    at_step(Step::run_forgotten);
    send_report(task_.report, {KeeperReport::Kind::ended, how.text, ""});
  }

  LiveRecord live_;
  KeeperTask task_;
  UniqueFd qemu_, signals_;
  std::vector<UniqueFd> helpers_;
  KeeperMonitor monitor_;
  StateWatch state_watch_;
  SeenEnd seen_;
  SleepWatch sleep_;
  ClockWatch clock_{live_};
  GuestWatch guest_watch_{live_};
  Alarm press_at_, stop_by_, kill_at_, connect_at_;
};

}  // namespace

int keep(const KeeperTask& task) {
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "qlaunch-keeper");
  umask(077);
  setpriority(PRIO_PROCESS, 0, 10);
  auto live = read_live(task.name);
  if (!live) throw StateError("VM " + in_backticks(task.name) + " does not run");
  const bool ours = live->keeper.pid == getpid();
  if (task.lock < 0 && !ours)
    throw StateError("VM " + in_backticks(task.name) + " has a keeper, and one is enough")
        .help("`qlaunch up` starts it, and any command replaces one that has ended");
  Keeper(std::move(*live), task).run();
  return 0;
}

}  // namespace qlaunch
