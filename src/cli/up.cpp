// SPDX-License-Identifier: MIT
#include "cli/up.hpp"

#include "cli/changes.hpp"
#include "cli/console.hpp"
#include "cli/facts.hpp"
#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/report_json.hpp"
#include "core/quote.hpp"
#include "vm/catalog.hpp"
#include "vm/launch.hpp"
#include "vm/record.hpp"
#include "vm/wait.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

constexpr std::size_t lines_of_tail = 5;

bool mentions(const Error& error, const std::string& text) {
  for (const auto& help : error.diagnostics().front().help) {
    if (help.find(text) != std::string::npos) return true;
  }
  return false;
}

/// Why the guest is not ready, with what it said last: most often the answer is there.
Error with_hints(const Error& error, const LiveRecord& live) {
  const auto name = shell_quote(live.name);
  Error out(error.diagnostics(), error.code());
  const auto tail = serial_tail(live.plan, lines_of_tail);
  if (!tail.empty() && !mentions(error, tail.back())) {
    std::string text = "its serial port said last:";
    for (const auto& line : tail) text += "\n  " + line;
    out.help(text);
  }
  if (alive(live.qemu)) {
    out.help("the VM goes on running: `qlaunch wait " + name + "` waits on, `qlaunch log " + name +
             "` shows its serial port, `qlaunch shutdown " + name + "` stops it");
    return out;
  }
  // For `up` a VM that is gone is no wrong state but a launch that failed.
  return out.code() == ExitCode::state ? Error(out.diagnostics(), ExitCode::failed) : out;
}

/// Whether the word is the name of a known VM of this profile, which may call itself differently.
bool names_vm(const std::string& word, const std::string& profile) {
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) == vms.end()) return false;
  const auto record = read_record(word);
  return record && record->profile == profile;
}

std::string already_text(const Launched& launched) {
  const auto& name = launched.live.name;
  std::string text = name + " already runs (pid " + std::to_string(launched.live.qemu.pid) + ")\n";
  if (launched.changes.empty()) return text;
  text += "its profile has changed since then:\n" + changes_text(launched.changes, "    ");
  if (needs_restart(launched.changes))
    text += "`qlaunch reload " + shell_quote(name) + "` starts it anew with this\n";
  return text;
}

class Up {
 public:
  Up(const UpOptions& options, Terminal& terminal)
      : options_(options), terminal_(terminal), progress_(terminal) {}

  int run() {
    for (const auto& word : options_.profiles) {
      if (!attempt([&] { start(word); })) return interrupted();
    }
    std::vector<VmFacts> reached;
    for (const auto& launched : launched_) {
      const bool waits = !launched.was_running && !options_.no_wait && !options_.console;
      bool ready = !waits;
      if (!attempt([&] { ready = ready || wait_ready(launched.live); })) return interrupted();
      if (options_.json) reached.push_back(gather_vm(launched.live.name, true));
      if (ready && !options_.json) show(launched);
    }
    if (options_.json)
      terminal_.print(options_.profiles.size() > 1 ? status_json(reached)
                      : reached.empty()            ? ""
                                                   : status_json(reached.front()));
    return code_;
  }

  const std::vector<Launched>& launched() const { return launched_; }

 private:
  /// Reports what goes wrong and remembers the first exit code; false where the user wants an end.
  template <class Work>
  bool attempt(const Work& work) {
    try {
      work();
    } catch (const OutputClosed&) {
      throw;
    } catch (...) {
      const auto error = as_error(std::current_exception());
      progress_.done();
      terminal_.complain(error);
      if (code_ == 0) code_ = static_cast<int>(error.code());
    }
    return !InterruptGuard::interrupted();
  }

  /// A launch that was cut off has been undone; what runs goes on.
  int interrupted() {
    progress_.done();
    for (const auto& launched : launched_) {
      const auto& name = launched.live.name;
      if (!launched.was_running && alive(launched.live.qemu))
        terminal_.say(name + " goes on running; `qlaunch shutdown " + shell_quote(name) +
                      "` stops it\n");
    }
    return InterruptGuard::exit_code();
  }

  void start(const std::string& word) {
    LaunchRequest request;
    request.profile = find_profile(word);
    request.settings = options_.settings;
    request.name = options_.name;
    request.adopt = options_.adopt;
    if (request.name.empty() && names_vm(word, request.profile)) request.name = word;
    LaunchProgress progress;
    progress.step = [this](const std::string& text) { progress_.step(text); };
    progress.warning = [this](const Diagnostic& warning) { progress_.warn(warning); };
    launched_.push_back(launch(request, progress, InterruptGuard::interrupted));
  }

  bool wait_ready(const LiveRecord& live) {
    WaitFor what;
    what.ready = true;
    progress_.waiting(describe(what, live.name));
    bool ready = false;
    try {
      ready = wait_for(live.name, what, options_.timeout.value_or(live.plan.ready.timeout),
                       InterruptGuard::interrupted);
    } catch (...) {
      throw with_hints(as_error(std::current_exception()), live);
    }
    progress_.done();
    return ready;
  }

  void show(const Launched& launched) {
    if (launched.was_running) {
      terminal_.result(already_text(launched));
      return;
    }
    const auto facts = started_facts(launched.live);
    // A guest that powers off at once has been ready all the same.
    terminal_.result(facts.runs() ? reach_text(facts)
                                  : facts.name() + " was ready and has ended" +
                                        (facts.end ? ": " + facts.end->text : "") + '\n');
  }

  const UpOptions& options_;
  Terminal& terminal_;
  Progress progress_;
  std::vector<Launched> launched_;
  int code_ = 0;
};

}  // namespace

void add_up(CLI::App& app, UpOptions& options) {
  add_words(app, options.profiles, "PROFILE", "profiles: files, or names");
  add_settings(app, options.settings);
  add_name(app, options.name, "call the VM so, instead of as its profile says");
  add_flag(app, options.adopt, "--adopt",
           "let this profile take over a known VM of the same name, with its disks");
  add_flag(app, options.no_wait, "--no-wait", "return when the VM runs, ready or not");
  add_timeout(app, options.timeout,
              "how long the guest may take; default: `[ready] timeout` of the profile");
  add_flag(app, options.console, "--console", "go on as `qlaunch console` at once");
  add_json(app, options.json, "print what `qlaunch status --json` prints");
}

int up(const UpOptions& options, Terminal& terminal) {
  if (options.profiles.size() > 1 && !options.name.empty())
    throw UsageError("`--name` is for one profile, not for several");
  if (options.profiles.size() > 1 && options.console)
    throw UsageError("`--console` is for one profile, not for several");
  if (options.console && options.json)
    throw UsageError("`--console` and `--json` exclude each other");
  std::string name;
  {
    const InterruptGuard guard;
    Up work(options, terminal);
    const int code = work.run();
    if (code != 0 || !options.console) return code;
    name = work.launched().front().live.name;
  }
  // Without the guard: there Ctrl-C belongs to the guest.
  return console({.vm = name}, terminal);
}

}  // namespace qlaunch
