// SPDX-License-Identifier: MIT
#include "vm/keeper.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/socket.hpp"
#include "host/spawn.hpp"
#include "qmp/message.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"
#include "vm/report.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a helper may take to end by itself after QEMU has gone.
constexpr auto helper_patience = std::chrono::seconds(2);

class Keeper {
 public:
  Keeper(LiveRecord live, int report) : live_(std::move(live)), report_(report) {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : {SIGTERM, SIGHUP, SIGINT, press_signal}) sigaddset(&watched, signal);
    sigprocmask(SIG_BLOCK, &watched, nullptr);
    signals_.reset(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    qemu_ = open_pidfd(live_.qemu);
    for (const auto& helper : live_.helpers) helpers_.push_back(open_pidfd(helper.process));
  }

  void run() {
    journal(live_.name, "STARTED", nlohmann::json{{"pid", live_.qemu.pid}}.dump());
    // A request to stop may come while QEMU has not greeted yet.
    connect(std::chrono::minutes(2), signals_.get());
    while (qemu_ && !wait_exit(qemu_.get(), Clock::now())) step();
    take_events();
    finish();
  }

 private:
  /// Until QEMU greets or `stop`, a descriptor, is readable. False where nobody listens.
  bool connect(Clock::duration patience, int stop) {
    const auto* socket = live_.plan.descriptor("keeper");
    if (socket == nullptr || !qemu_) return false;
    try {
      auto fd = connect_unix(socket->path);
      std::array<pollfd, 3> waiting{
          {{fd.get(), POLLIN, 0}, {qemu_.get(), POLLIN, 0}, {stop, POLLIN, 0}}};
      poll(waiting.data(), waiting.size(), milliseconds_of(patience));
      if (waiting[0].revents == 0) return true;
      qmp::Options options;
      options.reply = quit_patience;
      client_.emplace(qmp::SyncClient::adopt(
          fd.release(), options,
          std::vector<qmp::Watch>{{qemu_.get(), "the QEMU process exited"}}));
    } catch (const Error& error) {
      journal(live_.name, "MONITOR_LOST", nlohmann::json{{"cause", error.what()}}.dump());
      return false;
    } catch (const qmp::Error& error) {
      journal(live_.name, "MONITOR_LOST", nlohmann::json{{"cause", error.what()}}.dump());
    }
    return true;
  }

  void step() {
    std::vector<pollfd> waiting{{qemu_.get(), POLLIN, 0},
                                {signals_.get(), POLLIN, 0},
                                {client_ ? client_->fd() : -1, POLLIN, 0}};
    for (const auto& helper : helpers_) waiting.push_back({helper.get(), POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), poll_timeout()) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) take_signals();
    if (waiting[2].revents != 0) take_events();
    for (std::size_t index = 0; index < helpers_.size(); ++index) {
      if (waiting[index + 3].revents != 0) helper_ended(index);
    }
    if (due(press_at_)) {
      press_at_ = Clock::now() + press_again;
      if (!press(std::min(*press_at_, *stop_by_))) quit();
    }
    if (due(stop_by_)) {
      journal(live_.name, "SHUTDOWN_TIMEOUT");
      quit();
    }
    if (due(kill_at_)) end_by_signal();
  }

  using Alarm = std::optional<Clock::time_point>;

  static bool due(const Alarm& alarm) { return alarm && Clock::now() >= *alarm; }

  /// Rounded up: poll() must not come back just before the time.
  static int milliseconds_of(Clock::duration time) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time);
    return static_cast<int>(std::clamp<std::chrono::milliseconds>(
                                rounded, std::chrono::milliseconds(0), std::chrono::hours(24))
                                .count());
  }

  int poll_timeout() const {
    Alarm next;
    for (const auto& alarm : {press_at_, stop_by_, kill_at_}) {
      if (alarm && (!next || *alarm < *next)) next = alarm;
    }
    return next ? milliseconds_of(*next - Clock::now()) : -1;
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (static_cast<int>(info.ssi_signo) == press_signal) {
        press(Clock::now() + press_again);
        continue;
      }
      const auto name = std::string("SIG") + sigabbrev_np(static_cast<int>(info.ssi_signo));
      journal(live_.name, "STOP_REQUESTED", nlohmann::json{{"signal", name}}.dump());
      // A logout sends several signals at once; they are one request.
      if (asked_) continue;
      asked_ = name;
      stop_by_ = Clock::now() + live_.plan.shutdown.timeout;
      press_at_ = Clock::now();
    }
  }

  /// The power button, once; false where nobody can hear it.
  bool press(Clock::time_point until) {
    if (!client_ && !connect(until - Clock::now(), -1)) return false;
    try {
      if (client_) client_->execute("system_powerdown", nullptr, until);
    } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
      // Refused or not answered at this moment; the next press may be.
    }
    return true;
  }

  void quit() {
    press_at_.reset();
    stop_by_.reset();
    try {
      if (client_) {
        client_->quit();
        kill_at_ = Clock::now() + quit_patience;
        return;
      }
    } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
      // The signal below ends it.
    }
    end_by_signal();
  }

  void end_by_signal() {
    kill_at_.reset();
    killed_ = send_signal(live_.qemu, SIGKILL);
  }

  void take_events() {
    if (!client_) return;
    try {
      while (const auto event = client_->wait_event({}, Clock::now())) {
        const auto& data = event->data;
        journal(live_.name, event->name,
                data.is_null()
                    ? ""
                    : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
        if (event->name == "SHUTDOWN" && data.is_object()) shutdown_ = data.value("reason", "");
        if (event->name == "GUEST_PANICKED") panicked_ = true;
        if (event->name == "POWERDOWN") powered_down_ = true;
        // It has started anew: what it does from now on is another story.
        if (event->name == "RESET") panicked_ = powered_down_ = false;
      }
    } catch (const qmp::Error&) {
      // QEMU ends, or speaks no QMP any more: the pidfd tells which.
      client_.reset();
    }
  }

  void helper_ended(std::size_t index) {
    const auto& helper = live_.helpers[index];
    journal(live_.name, "HELPER_EXITED",
            nlohmann::json{{"helper", helper.name}, {"serves", helper.serves}}.dump());
    helpers_[index].reset();
  }

  /// Nothing where this process did not start QEMU and so cannot learn how it ended.
  std::optional<int> qemu_status() const {
    int status = 0;
    if (waitpid(live_.qemu.pid, &status, 0) == live_.qemu.pid) return status;
    return std::nullopt;
  }

  EndOfRun describe_end() const {
    const auto status = qemu_status();
    EndOfRun end{timestamp(), "unknown", "QEMU ended, and nobody saw how"};
    if (killed_ && status && WIFSIGNALED(*status))
      return {end.time, "signal", "killed after " + *asked_ + ": QEMU did not answer"};
    if (status && !(WIFEXITED(*status) && WEXITSTATUS(*status) == 0)) {
      end.reason = WIFSIGNALED(*status) ? "signal" : "error";
      end.text = (WIFSIGNALED(*status) ? "QEMU was " : "QEMU ended with ") + describe_exit(*status);
      return end;
    }
    if (panicked_) return {end.time, "guest-panic", "the guest panicked"};
    if (shutdown_ == "guest-shutdown") {
      end.text =
          asked_ ? "the guest powered off, as " + *asked_ + " asked" : "the guest powered off";
    } else if (shutdown_ == "guest-reset") {
      end.text = "the guest asked for a reset";
    } else if (shutdown_ == "host-qmp-quit") {
      end.text = asked_ ? "ended after " + *asked_ + ": the guest did not power off in time"
                 : powered_down_ ? "ended by `quit`: the guest did not power off in time"
                                 : "ended by `quit`, without asking the guest";
    } else if (shutdown_ == "host-ui") {
      end.text = "its window was closed";
    } else if (!shutdown_.empty()) {
      end.text = "QEMU ended: " + shutdown_;
    } else if (status) {
      end.text = "QEMU ended by itself with exit code 0";
    }
    if (!shutdown_.empty()) {
      end.reason = shutdown_;
    } else if (status) {
      end.reason = "exit";
    }
    return end;
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

  void finish() {
    const auto end = describe_end();
    stop_helpers();
    try {
      write_end(live_.name, end);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // A full disk; the sockets are to go all the same.
    }
    journal(live_.name, "ENDED", nlohmann::json{{"reason", end.reason}, {"text", end.text}}.dump());
    remove_runtime();
    // Last: until then a new start waits for this process, and so keeps out of its way.
    forget_run(live_.name);
    if (is_ephemeral(live_.plan.paths)) remove_ephemeral(live_.plan.paths);
    send_report(report_, {KeeperReport::Kind::ended, end.text, ""});
  }

  LiveRecord live_;
  int report_;
  UniqueFd signals_, qemu_;
  std::vector<UniqueFd> helpers_;
  std::optional<qmp::SyncClient> client_;
  std::optional<std::string> asked_;  // the first signal that asked to stop
  Alarm press_at_, stop_by_, kill_at_;
  bool killed_ = false;   // by this keeper
  std::string shutdown_;  // the reason in the SHUTDOWN event
  bool panicked_ = false;
  bool powered_down_ = false;  // its power button was pressed
};

}  // namespace

int keep(const std::string& name, int report) {
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "qlaunch-keeper");
  auto live = read_live(name);
  if (!live) throw StateError("VM `" + name + "` does not run");
  Keeper(std::move(*live), report).run();
  return 0;
}

}  // namespace qlaunch
