// SPDX-License-Identifier: MIT
#include "cli/start_vms.hpp"

#include "cli/changes.hpp"
#include "cli/facts.hpp"
#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "cli/report_json.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "vm/boot_watch.hpp"
#include "vm/catalog.hpp"
#include "vm/ephemeral.hpp"
#include "vm/state/suspended.hpp"
#include "vm/wait.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

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
    if (out.code() == ExitCode::timeout) {
      for (const auto& advice : boot_advice(BootWatch(live).look(), live.plan.ready.when, name))
        out.help(advice);
    }
    out.help("the VM goes on running: `qlaunch wait " + name + "` waits on, `qlaunch log " + name +
             "` shows its serial port, `qlaunch shutdown " + name + "` stops it");
    return out;
  }
  // For `up` a VM that is gone is no wrong state but a launch that failed.
  return out.code() == ExitCode::state ? Error(out.diagnostics(), ExitCode::failed) : out;
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

std::string resumed_text(const Launched& launched) {
  const auto& name = launched.live.name;
  std::string text = name + " goes on from " + launched.resumed_from + '\n';
  if (launched.changes.empty()) return text;
  return text + "its profile has changed since then, which takes effect at the next start:\n" +
         changes_text(launched.changes, "    ");
}

std::optional<Record> suspended_record(const std::string& word) {
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) == vms.end() || !is_suspended(word))
    return std::nullopt;
  return read_record(word);
}

std::string report_text(const Launched& launched) {
  if (launched.was_running) return already_text(launched);
  const auto facts = started_facts(launched.live);
  auto before = launched.resumed_from.empty() ? std::string() : resumed_text(launched);
  if (!launched.warm_from.empty())
    before = launched.live.name + " starts from the ready state of " + launched.warm_from + '\n';
  if (facts.runs()) return before + reach_text(facts);
  // A guest that powers off at once has been ready all the same.
  return facts.name() + " was ready and has ended" + (facts.end ? ": " + facts.end->text : "") +
         '\n';
}

class Starts {
 public:
  Starts(const std::vector<std::function<LaunchRequest()>>& requests, const StartHow& how,
         Terminal& terminal)
      : requests_(requests), how_(how), terminal_(terminal), progress_(terminal) {
    result_.vms.resize(requests.size());
    codes_.resize(requests.size());
  }

  Started run() {
    if (requests_.size() == 1) {
      one(0);
    } else {
      std::vector<std::thread> threads;
      for (std::size_t index = 0; index < requests_.size(); ++index)
        threads.emplace_back([this, index] {
          leave_signals_to_main_thread();
          one(index);
        });
      for (auto& thread : threads) thread.join();
    }
    progress_.done();
    if (output_failure_) std::rethrow_exception(output_failure_);
    result_.code = *std::max_element(codes_.begin(), codes_.end());
    if (InterruptGuard::interrupted()) {
      if (!how_.stays) tell_what_goes_on();
      result_.code = InterruptGuard::exit_code();
    } else if (how_.json) {
      print_json();
    }
    return std::move(result_);
  }

 private:
  bool several() const { return requests_.size() > 1; }

  void one(std::size_t index) {
    try {
      const auto request = requests_[index]();
      auto launched = launch(request, progress_of(request), InterruptGuard::interrupted);
      bool ready = launched.was_running || !how_.wait || said_it_already(launched);
      {
        const std::lock_guard lock(mutex_);
        result_.vms[index] = launched;
      }
      ready = ready || wait_ready(launched.live);
      if (ready) how_.ready(launched.live);
      if (ready && how_.report && !how_.json) say_result(report_text(launched));
    } catch (const OutputClosed&) {
      const std::lock_guard lock(mutex_);
      output_failure_ = std::current_exception();
    } catch (...) {
      const auto error = as_error(std::current_exception());
      codes_[index] = static_cast<int>(error.code());
      how_.failed(error);
      const std::lock_guard lock(mutex_);
      progress_.done();
      terminal_.complain(error);
      show_waiting();
    }
  }

  /// What a guest says while it boots, one that goes on from a snapshot does not say again.
  static bool said_it_already(const Launched& launched) {
    const auto kind = launched.live.plan.ready.when.kind;
    return launched.resumed &&
           (kind == ReadyWhen::Kind::serial || kind == ReadyWhen::Kind::provisioned);
  }

  LaunchProgress progress_of(const LaunchRequest& request) {
    // Several at once: whose step it is has to be said.
    auto path = request.profile.empty() ? request.name : request.profile;
    auto prefix = several() ? path.substr(path.find_last_of("/:") + 1) + ": " : std::string();
    LaunchProgress progress;
    progress.step = [this, prefix](const std::string& text) { progress_.step(prefix + text); };
    progress.download = [this](const PullProgress& how_far) {
      progress_.download(how_far);
      how_.fetches(how_far);
    };
    progress.warning = [this](const Diagnostic& warning) {
      // What is said of the host is said of every VM.
      const std::lock_guard lock(mutex_);
      if (warned_.insert(warning.message + warning.where.text()).second) progress_.warn(warning);
    };
    return progress;
  }

  bool wait_ready(const LiveRecord& live) {
    WaitFor what;
    what.ready = true;
    const auto text = several() ? live.name : describe(what, live.name);
    const auto timeout = how_.timeout.value_or(live.plan.ready.timeout);
    if (!several()) boot_watch_ = std::make_shared<BootWatch>(live);
    waited_for(text, true);
    how_.waits(live, text, timeout);
    bool ready = false;
    try {
      ready = wait_for(live.name, what, timeout, InterruptGuard::interrupted);
    } catch (...) {
      const auto error = with_hints(as_error(std::current_exception()), live);
      waited_for(text, false);
      throw error;
    }
    waited_for(text, false);
    return ready;
  }

  /// One line for all that is waited for at this moment.
  void waited_for(const std::string& text, bool begins) {
    const std::lock_guard lock(mutex_);
    if (begins) {
      waiting_.push_back(text);
    } else {
      waiting_.erase(std::find(waiting_.begin(), waiting_.end(), text));
    }
    progress_.done();
    show_waiting();
  }

  void show_waiting() {
    if (waiting_.empty()) return;
    // Of several there is no room to tell how far each is.
    const auto watch = waiting_.size() == 1 ? boot_watch_ : nullptr;
    progress_.waiting(join(waiting_, ", "), [watch] {
      return watch == nullptr ? std::string() : boot_words(watch->look());
    });
  }

  void say_result(const std::string& text) {
    const std::lock_guard lock(mutex_);
    progress_.done();
    terminal_.result(text);
    show_waiting();
  }

  /// A launch that was cut off has been undone; what runs goes on.
  void tell_what_goes_on() {
    for (const auto& launched : result_.vms) {
      if (!launched || launched->was_running || !alive(launched->live.qemu)) continue;
      const auto& name = launched->live.name;
      terminal_.say(name + " goes on running; `qlaunch shutdown " + shell_quote(name) +
                    "` stops it\n");
    }
  }

  void print_json() {
    std::vector<VmFacts> reached;
    for (const auto& launched : result_.vms) {
      if (launched) reached.push_back(gather_vm(launched->live.name, true));
    }
    if (several()) {
      terminal_.print(status_json(reached));
    } else if (!reached.empty()) {
      terminal_.print(status_json(reached.front()));
    }
  }

  const std::vector<std::function<LaunchRequest()>>& requests_;
  const StartHow& how_;
  Terminal& terminal_;
  Progress progress_;
  std::mutex mutex_;  // of what follows, and of the lines on the screen
  Started result_;
  std::vector<int> codes_;
  std::vector<std::string> waiting_;
  std::shared_ptr<BootWatch> boot_watch_;
  std::set<std::string> warned_;
  std::exception_ptr output_failure_;
};

}  // namespace

Started start_vms(const std::vector<std::function<LaunchRequest()>>& requests, const StartHow& how,
                  Terminal& terminal) {
  return Starts(requests, how, terminal).run();
}

LaunchRequest request_for(const std::string& word) {
  LaunchRequest request;
  if (const auto record = suspended_record(word)) {
    // It goes on as it was, also where its profile is gone.
    request.profile = record->profile;
    request.name = word;
    return request;
  }
  request.profile = find_profile(word);
  // The name of a known VM of this profile, which may call itself differently.
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) == vms.end()) return request;
  const auto record = read_record(word);
  if (record && record->profile == request.profile) request.name = word;
  return request;
}

}  // namespace qlaunch
