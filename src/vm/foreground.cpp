// SPDX-License-Identifier: MIT
#include "vm/foreground.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "vm/control.hpp"
#include "vm/journal.hpp"
#include "vm/keeper.hpp"
#include "vm/takeover.hpp"

#include <array>
#include <csignal>
#include <optional>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// After the guest has had its time: `quit`, the keeper's tidying up, a busy machine.
constexpr auto tidy_time = std::chrono::seconds(30);

UniqueFd watch_signals() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) sigaddset(&watched, signal);
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  UniqueFd fd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw system_error("cannot watch for signals", errno);
  return fd;
}

class Stay {
 public:
  using Say = std::function<void(const std::string&)>;

  Stay(LiveRecord live, const Notifier& notifier, const Say& say)
      : live_(std::move(live)),
        notifier_(notifier),
        say_(say),
        signals_(watch_signals()),
        qemu_(open_pidfd(live_.qemu)),
        keeper_(open_pidfd(live_.keeper)) {}

  EndOfRun until_the_end(int signal) {
    if (signal != 0) take(signal);
    while (qemu_ && step()) {
    }
    if (keeper_) wait_exit(keeper_.get(), Clock::now() + tidy_time);
    if (auto end = read_end(live_.name)) return *end;
    return {timestamp(), "unknown", "QEMU ended, and nobody saw how"};
  }

 private:
  /// False when QEMU has ended.
  bool step() {
    std::array<pollfd, 3> waiting{
        {{signals_.get(), POLLIN, 0}, {qemu_.get(), POLLIN, 0}, {keeper_.get(), POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
      throw system_error("cannot wait for the VM", errno);
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      take(static_cast<int>(info.ssi_signo));
    if (waiting[1].revents != 0) return false;
    if (waiting[2].revents != 0) replace_keeper();
    return true;
  }

  void replace_keeper() {
    keeper_.reset();
    if (!alive(live_.qemu)) return;
    take_over(live_);
    keeper_ = open_pidfd(live_.keeper);
    // The new one has not heard what the old one was told.
    if (asked_at_ && keeper_) send_signal(live_.keeper, SIGTERM);
  }

  void take(int signal) {
    const auto now = Clock::now();
    if (!asked_at_) {
      asked_at_ = now;
      const auto timeout = live_.plan.shutdown.timeout;
      notifier_.stopping();
      notifier_.extend(timeout + quit_patience + tidy_time);
      if (live_.plan.shutdown.on_host == OnHostShutdown::suspend) {
        notifier_.status("suspending");
        say_("suspending " + in_backticks(live_.name) + "; Ctrl-C again ends it at once");
      } else {
        notifier_.status("asking the guest to power off");
        say_("asking the guest of " + in_backticks(live_.name) + " to power off, for at most " +
             format_duration(timeout) + "; Ctrl-C again ends it at once");
      }
      if (!send_signal(live_.keeper, signal)) replace_keeper();
    } else if (signal == SIGINT && now - *asked_at_ >= second_interrupt && !ended_) {
      ended_ = true;
      say_("ending it");
      try {
        kill_vm(live_.name);
      } catch (const StateError&) {  // NOLINT(bugprone-empty-catch)
        // It has just ended.
      }
    }
  }

  LiveRecord live_;
  const Notifier& notifier_;
  const Say& say_;
  UniqueFd signals_, qemu_, keeper_;
  std::optional<Clock::time_point> asked_at_;
  bool ended_ = false;
};

}  // namespace

int foreground_exit_code(const EndOfRun& end) {
  if (end.reason == "host-shutdown-timeout") return static_cast<int>(ExitCode::timeout);
  for (const auto* well : {"guest-shutdown", "guest-reset", "host-shutdown", "host-qmp-quit",
                           "host-ui", "exit", "suspended"}) {
    if (end.reason == well) return 0;
  }
  return static_cast<int>(ExitCode::failed);
}

void Foreground::fetching(const std::string& what) const {
  // Told every second while bytes come, and a minute may pass between two tries.
  notifier_.extend(std::chrono::minutes(2));
  notifier_.status("fetching " + what);
}

void Foreground::started(const LiveRecord& live, const std::string& waits_for,
                         Duration timeout) const {
  notifier_.extend(timeout + tidy_time);
  notifier_.status(live.name + " runs (pid " + std::to_string(live.qemu.pid) + "); waiting for " +
                   waits_for);
}

void Foreground::ready(const LiveRecord& live) const {
  notifier_.status(live.name + " is ready (pid " + std::to_string(live.qemu.pid) + ")");
  notifier_.ready();
}

void Foreground::not_ready(const std::string& why) const {
  notifier_.status("not ready: " + why);
}

EndOfRun Foreground::stay(const LiveRecord& live, int signal,
                          const std::function<void(const std::string&)>& say) const {
  auto end = Stay(live, notifier_, say).until_the_end(signal);
  notifier_.status(end.text);
  return end;
}

}  // namespace qlaunch
