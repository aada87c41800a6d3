// SPDX-License-Identifier: MIT
#include "vm/state/warm_start.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "vm/catalog.hpp"
#include "vm/guest_clock.hpp"
#include "vm/journal.hpp"
#include "vm/state/state_file.hpp"
#include "vm/state/warm.hpp"
#include "vm/state/warm_key.hpp"
#include "vm/state/warm_save.hpp"
#include "vm/steps.hpp"
#include "vm/wait.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

constexpr auto warm_agent_patience = std::chrono::seconds(3);

Diagnostic note(std::string message) {
  Diagnostic diagnostic{Severity::note, std::move(message), {}, {}, {}};
  return diagnostic;
}

/// One start; what it needs to know of the states of its profile.
class WarmLaunch {
 public:
  WarmLaunch(const LaunchRequest& request, const LaunchProgress& progress,
             const std::function<bool()>& interrupted, const LaunchCold& cold)
      : request_(request), progress_(progress), interrupted_(interrupted), cold_(cold) {}

  Launched run() {
    const auto prepared = prepare(as_maker(), SocketStyle::descriptor);
    root_ = warm_root(prepared.regular, request_.profile);
    if (request_.cold) {
      drop_warm(root_);
      return cold_(request_);
    }
    if (const auto unfit = unfit_for_warm_start(prepared.profile, request_.agent)) {
      say_once(*unfit);
      return cold_(request_);
    }
    key_ = warm_key(prepared);
    record_ = record_of(prepared);
    auto state = read_warm(root_);
    if (state && fits(*state)) {
      if (!state->blocked.empty()) return cold_(request_);
      if (auto launched = from_state(*state)) return std::move(*launched);
    }
    return make_and_use(prepared);
  }

 private:
  LaunchRequest as_maker() const {
    auto request = request_;
    request.warm = WarmStart{};
    return request;
  }

  Record record_of(const Prepared& prepared) const {
    Record record;
    record.profile = request_.profile;
    record.sources = prepared.sources;
    record.settings = request_.settings;
    std::error_code ignored;
    record.folder =
        request_.folder.empty() ? std::filesystem::current_path(ignored).string() : request_.folder;
    return record;
  }

  bool fits(const WarmState& state) const {
    const auto changed = what_changed(state, key_, record_);
    if (changed.empty() && is_whole(state)) return true;
    if (!state.blocked.empty()) return false;
    progress_.warning(note(changed.empty()
                               ? "the saved ready state is damaged: this run boots"
                               : "the saved ready state does not fit any more, because of " +
                                     enumerate(changed) + ": this run boots"));
    return false;
  }

  /// The same words for the same reason are news only once.
  void say_once(const std::string& why) const {
    const auto path = root_ + "/cold";
    if (try_read_file(path) == why) return;
    progress_.warning(note("`warm` in [start] has no effect: the profile has " + why));
    try {
      make_private_folder(root_);
      write_file_atomic(path, why, 0600, Durability::quick);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Then it is said again.
    }
  }

  /// Nothing where the state cannot be used after all.
  std::optional<Launched> from_state(const WarmState& state) {
    const auto hold = hold_warm(state);
    if (!hold) return std::nullopt;
    auto request = request_;
    request.warm = WarmStart{state.folder};
    try {
      auto launched = cold_(request);
      launched.warm_from = state.time;
      launched.clock_set = state.agent && set_guest_clock(launched.live).done;
      return launched;
    } catch (const LoadFailed& error) {
      if (interrupted_()) throw;
      drop_warm(root_);
      progress_.warning(note("the saved ready state cannot be used: " + std::string(error.what()) +
                             "; this run boots"));
      return std::nullopt;
    }
  }

  Launched make_and_use(const Prepared& prepared) {
    make_private_folder(root_);
    FileLock lock(root_ + "/lock");
    if (!lock.try_lock()) {
      progress_.step("another run saves the ready state now; this one boots");
      return cold_(request_);
    }
    // Another one may have made it while this one looked.
    if (const auto state = read_warm(root_); state && fits_silently(*state)) {
      if (auto launched = from_state(*state)) return std::move(*launched);
    }
    tidy_warm(root_);
    auto launched = cold_(as_maker());
    at_step(Step::warm_booting);
    if (!boot(launched, prepared)) return launched;
    // Another command may have dropped it at once.
    if (const auto made = read_warm(root_)) {
      if (auto warm = from_state(*made)) return std::move(*warm);
    }
    return cold_(request_);
  }

  bool fits_silently(const WarmState& state) const {
    return state.blocked.empty() && what_changed(state, key_, record_).empty() && is_whole(state);
  }

  /// True where the VM that was to save the state has ended, the state being there or not. False
  /// where it goes on as a run that has booted.
  bool boot(const Launched& launched, const Prepared& prepared) {
    const auto& live = launched.live;
    WarmState state;
    state.time = timestamp();
    state.key = key_;
    state.record = record_;
    try {
      if (blocked(live, state)) return false;
      WaitFor ready;
      ready.when = warm_ready(prepared.profile);
      progress_.step("booting once, to keep the state in which the guest is ready");
      if (!wait_for(live.name, ready, live.plan.ready.timeout, interrupted_))
        throw Error("interrupted: the launch was undone");
      await_agent(live);
      // A share that the guest has mounted meanwhile.
      if (blocked(live, state)) return false;
      progress_.step("saving the ready state");
      save_warm(live, root_, state, interrupted_);
      return true;
    } catch (const std::exception& error) {
      if (interrupted_() || !alive(live.qemu)) {
        end_run(live);
        if (interrupted_()) throw Error("interrupted: the launch was undone");
        progress_.warning(note("the ready state was not saved: " + std::string(error.what()) +
                               "; this run boots anew"));
        return true;
      }
      progress_.warning(note("the ready state was not saved: " + std::string(error.what()) +
                             "; the run goes on"));
      return false;
    }
  }

  /// With an agent in the state its runs are told the time at once. Many guests have none, and this
  /// is the only boot that waits for it.
  void await_agent(const LiveRecord& live) const {
    if (live.plan.descriptor("agent") == nullptr) return;
    WaitFor agent;
    agent.when.kind = ReadyWhen::Kind::agent;
    try {
      wait_for(live.name, agent, warm_agent_patience, interrupted_);
    } catch (const TimeoutError&) {  // NOLINT(bugprone-empty-catch)
      // It has none.
    }
  }

  bool blocked(const LiveRecord& live, WarmState& state) const {
    CommandSocket socket(live);
    const auto reasons = what_blocks_saving(socket.client());
    if (reasons.empty()) return false;
    state.blocked = join(reasons, "; ");
    progress_.warning(
        note("`warm` in [start] has no effect, as QEMU cannot save this VM: " + state.blocked));
    write_warm(root_, state);
    return true;
  }

  const LaunchRequest& request_;
  const LaunchProgress& progress_;
  const std::function<bool()>& interrupted_;
  const LaunchCold& cold_;
  std::string root_;
  WarmKey key_;
  Record record_;
};

bool wants_warm(const LaunchRequest& request) {
  // Its first words are to be heard, or it boots something else.
  if (request.paused || !request.cdrom.empty()) return false;
  const auto loaded = open_profile(request.profile, request.settings, request.folder);
  return !has_errors(loaded.diagnostics) && loaded.profile.start.warm;
}

}  // namespace

Launched launch_ephemeral(const LaunchRequest& request, const LaunchProgress& progress,
                          const std::function<bool()>& interrupted, const LaunchCold& cold) {
  if (!request.cold && !wants_warm(request)) return cold(request);
  return WarmLaunch(request, progress, interrupted, cold).run();
}

void load_warm(const LiveRecord& live, const std::string& folder,
               const std::function<bool()>& interrupted) {
  at_step(Step::warm_waiting);
  try {
    load_state(live, {folder + "/state", true}, interrupted);
    at_step(Step::warm_loaded);
    CommandSocket(live).client().execute("cont");
  } catch (const Error& error) {
    throw LoadFailed(error.what());
  } catch (const qmp::Error& error) {
    const auto said = last_lines(log_path(live.plan.paths, "qemu"), 3);
    throw LoadFailed(error.what() + (said.empty() ? "" : ":\n" + said));
  }
}

}  // namespace qlaunch
