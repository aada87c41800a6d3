// SPDX-License-Identifier: MIT
#include "cli/run.hpp"

#include "cli/facts.hpp"
#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/start_vms.hpp"
#include "core/quote.hpp"
#include "vm/control.hpp"
#include "vm/ephemeral.hpp"
#include "vm/guest_clock.hpp"
#include "vm/guest_command.hpp"
#include "vm/wait.hpp"

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t lines_of_tail = 10;
constexpr auto tidy_patience = std::chrono::seconds(15);

/// Ends with its VM, however it ends.
class Errand {
 public:
  Errand(const RunOptions& options, Terminal& terminal)
      : options_(options), terminal_(terminal), progress_(terminal) {
    if (options.timeout) deadline_ = Clock::now() + *options.timeout;
  }
  ~Errand() {
    progress_.done();
    if (!live_) return;
    try {
      if (alive(live_->qemu)) kill_vm(live_->name);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // It has ended by itself meanwhile.
    }
    try {
      // It removes what there is.
      if (const auto keeper = open_pidfd(live_->keeper))
        wait_exit(keeper.get(), Clock::now() + tidy_patience);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // The next command tidies up.
    }
    tidy_ephemeral();
  }
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  int run() {
    start();
    GuestCommand command;
    command.words = options_.words;
    command.interrupted = InterruptGuard::interrupted;
    command.deadline = deadline_;
    try {
      return in_guest(command);
    } catch (...) {
      auto error = as_error(std::current_exception());
      if (InterruptGuard::interrupted()) throw error;
      std::string said;
      for (const auto& line : serial_tail(live_->plan, lines_of_tail)) said += "\n  " + line;
      if (!said.empty()) error.help("its serial port said last:" + said);
      throw error;
    }
  }

 private:
  void start() {
    auto request = request_for(options_.profile);
    request.of = std::exchange(request.name, {});
    request.ephemeral = true;
    request.cold = options_.cold;
    request.agent = !options_.serial;
    // Nobody looks at it; what the user says of it comes later and wins.
    request.settings = {"display.type=none"};
    request.settings.insert(request.settings.end(), options_.settings.begin(),
                            options_.settings.end());
    LaunchProgress progress;
    progress.step = [this](const std::string& text) { progress_.step(text); };
    progress.warning = [this](const Diagnostic& warning) { progress_.warn(warning); };
    progress.download = [this](const PullProgress& how_far) { progress_.download(how_far); };
    auto launched = launch(request, progress, InterruptGuard::interrupted);
    live_ = std::move(launched.live);
    warm_ = !launched.warm_from.empty() && !launched.clock_set;
  }

  int in_guest(GuestCommand& command) {
    // The guest has as long as its profile gives it; the command has no end of its own.
    const auto ready_by = Clock::now() + live_->plan.ready.timeout;
    if (options_.serial || live_->plan.descriptor("agent") == nullptr) {
      progress_.waiting("a shell on the serial port");
      const auto output = run_on_serial(*live_, command);
      progress_.done();
      terminal_.print(output.out);
      return output.code;
    }
    const auto until = deadline_ ? std::min(*deadline_, ready_by) : ready_by;
    WaitFor agent;
    agent.when.kind = ReadyWhen::Kind::agent;
    progress_.waiting(describe(agent, live_->name));
    try {
      const auto rest = std::chrono::duration_cast<Duration>(until - Clock::now());
      if (!wait_for(live_->name, agent, std::max(rest, Duration(1)), InterruptGuard::interrupted))
        throw Error("interrupted");
    } catch (TimeoutError& error) {
      throw error.help("`--serial` does it without an agent, by a shell on the serial port");
    }
    if (warm_) set_guest_clock(*live_);
    // What it says is not to stand beside what is said of it.
    command.started = [this] { progress_.done(); };
    return run_by_agent(*live_, command);
  }

  const RunOptions& options_;
  Terminal& terminal_;
  Progress progress_;
  std::optional<Clock::time_point> deadline_;
  std::optional<LiveRecord> live_;
  bool warm_ = false;  // its clock stands where its state was saved
};

}  // namespace

void add_run(CLI::App& app, RunOptions& options) {
  add_word(app, options.profile, "PROFILE", "a profile: a file, or a name; or a VM's name");
  add_words(app, options.words, "CMD", "the command and its words, behind `--`");
  add_settings(app, options.settings);
  add_timeout(app, options.timeout, "how long all of it may take; default: no limit");
  add_flag(app, options.cold, "--cold",
           "boot, and remove the ready state that `[start] warm` has saved");
  add_flag(app, options.serial, "--serial", "use a shell on the serial port, not the guest agent");
}

int run(const RunOptions& options, Terminal& terminal) {
  const InterruptGuard guard;
  try {
    Errand work(options, terminal);
    return work.run();
  } catch (const OutputClosed&) {
    throw;
  } catch (...) {
    if (InterruptGuard::interrupted()) return InterruptGuard::exit_code();
    terminal.complain(as_error(std::current_exception()));
    return static_cast<int>(ExitCode::own_failure);
  }
}

}  // namespace qlaunch
