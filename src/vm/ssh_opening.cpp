// SPDX-License-Identifier: MIT
// open_ssh(): waits for the server, learns its host key, makes the connection that sessions share.
#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/reach_port.hpp"
#include "guest/ssh_answers.hpp"
#include "host/capture.hpp"
#include "host/lock.hpp"
#include "host/socket.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/ssh_host_key.hpp"
#include "vm/wait.hpp"
#include "vm/waiting.hpp"

#include <algorithm>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

/// For a server of a guest that should be up already.
constexpr auto short_patience = std::chrono::seconds(15);
/// Beyond what ssh was told, for its own work.
constexpr auto spare = std::chrono::seconds(20);
/// For an answer through a connection that stands; then it is looked whether the guest can.
constexpr auto ssh_answer = std::chrono::seconds(1);
constexpr auto slow_ssh_answer = std::chrono::seconds(5);
constexpr std::size_t ssh_output_limit = std::size_t{64} << 10;

/// Somebody has been in during this run: its server need not be waited for.
std::string answered_mark(const LiveRecord& live) {
  return live.plan.paths.runtime + "/ssh.answered";
}

bool has_answered(const LiveRecord& live) {
  return file_fact(answered_mark(live)).kind != FileFact::Kind::missing;
}

/// Which socket it is: a new one at the same path is another.
std::optional<std::pair<dev_t, ino_t>> identity_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || lstat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

/// How long ago QEMU was started.
Duration run_time(const LiveRecord& live) {
  const auto usage = process_usage(live.qemu);
  return usage ? Duration(usage->uptime) : Duration(0);
}

class Opening {
 public:
  Opening(SshLink& link, const LiveRecord& live, const SshWish& wish)
      : link_(link), live_(live), wish_(wish), key_(link, live) {
    auto patience = std::max<Duration>(live.plan.ready.timeout - run_time(live), short_patience);
    deadline_ = Clock::now() + wish.timeout.value_or(patience);
  }

  SshDoor run(std::optional<Error>& refusal) {
    const auto probed = identity_of(link_.control);
    if (stands() && serves()) return SshDoor::open;
    if (link_.control.empty()) {
      // ssh itself would wait for ever.
      refuse_paused();
      if (!has_answered(live_)) await_server();
      learn_host_key();
      note_answer();
      return SshDoor::open;
    }
    FileLock lock(link_.control + ".lock");
    if (!lock.lock(deadline_)) throw too_long();
    if (stands()) {
      if (identity_of(link_.control) != probed) return SshDoor::open;  // made meanwhile
      retire();
    }
    if (!shareable()) return SshDoor::open;
    if (!has_answered(live_)) await_server();
    return make(refusal);
  }

 private:
  bool stands() const { return !link_.control.empty() && try_connect_unix(link_.control); }

  /// Another command may have found out meanwhile.
  bool shareable() {
    if (file_fact(unshared_mark(live_.plan.paths.runtime)).kind == FileFact::Kind::missing)
      return true;
    link_.control.clear();
    key_.look();
    return false;
  }

  /// A guest that has gone back to a snapshot, or has crashed, knows nothing of a connection which
  /// stands on this side; who would use it would wait for ever.
  bool serves() const {
    if (answers_within(ssh_answer)) return true;
    refuse_paused();
    return answers_within(slow_ssh_answer);
  }

  bool answers_within(Clock::duration patience) const {
    SpawnOptions options;
    options.argv = ssh_ask_argv(ssh_program(), link_.control);
    const auto left =
        std::clamp<Clock::duration>(deadline_ - Clock::now(), ssh_answer / 4, patience);
    const auto done =
        capture(std::move(options), std::chrono::duration_cast<std::chrono::milliseconds>(left),
                ssh_output_limit);
    if (wish_.interrupted()) throw Error("interrupted");
    // Where the guest says that it knows of no connection, this side's ends.
    return done.end == CaptureEnd::by_itself && stands();
  }

  /// Sessions that still use it, and a guest that is only slow, are left alone.
  void retire() const {
    run_and_capture(ssh_stop_argv(ssh_program(), link_.control), ssh_answer);
    unlink(link_.control.c_str());
  }

  int seconds_left() const {
    const auto left = std::chrono::ceil<std::chrono::seconds>(deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 1, 86400));
  }

  void await_server() const {
    WaitFor what;
    what.when.kind = ReadyWhen::Kind::ssh;
    const bool forwarded = forward_to(live_, 22) != nullptr;
    wish_.step(forwarded ? describe(what, live_.name)
                         : "ssh on " + link_.host + ':' + std::to_string(link_.port));
    const auto left = std::chrono::duration_cast<Duration>(deadline_ - Clock::now());
    try {
      if (!forwarded) {
        reach_port(link_.host, link_.port, deadline_, wish_.interrupted);
        return;
      }
      if (!wait_for(live_.name, what, std::max(left, Duration(1)), wish_.interrupted))
        throw Error("interrupted");
    } catch (TimeoutError& error) {
      refuse_paused();
      throw error.help("`qlaunch log " + shell_quote(live_.name) +
                       "` shows what the guest says on its serial port; `--timeout` waits longer");
    }
  }

  void refuse_paused() const {
    if (look(live_.name).state != VmState::paused) return;
    throw StateError("VM " + in_backticks(live_.name) + " is paused: its guest cannot answer")
        .help("`qlaunch resume " + shell_quote(live_.name) + "` lets it go on");
  }

  /// The session that comes then, or that another program makes, has only the known key to go by.
  void learn_host_key() {
    FileLock learning(link_.known_hosts + ".lock");
    if (hold(learning))
      get_to_server(ssh_greeting_argv);
    else
      key_.look();
  }

  /// Two that learn a key at once would take each other's for the guest's. False: it is known.
  bool hold(FileLock& learning) {
    if (key_.shown()) return false;
    if (!learning.lock(deadline_)) throw too_long();
    return !key_.shown();
  }

  SshDoor make(std::optional<Error>& refusal) {
    FileLock learning(link_.known_hosts + ".lock");
    hold(learning);
    for (;;) {
      const auto failure = get_to_server(ssh_master_argv);
      if (!failure) return SshDoor::open;
      if (link_.only_these_keys) {
        // An image that was not told of the VM's key may know one of the agent's.
        link_.only_these_keys = false;
        continue;
      }
      link_.control.clear();
      refusal.emplace(refused(*failure));
      return SshDoor::locked;
    }
  }

  using Argv = std::vector<std::string>(const std::string& program, const SshLink& link,
                                        int seconds);

  /// Until its host key is known and accepted. Nothing where it then let us in.
  std::optional<SshFailure> get_to_server(Argv& argv) {
    for (;;) {
      wish_.step("connecting to " + link_.alias);
      key_.look();
      auto failure = try_once(argv(ssh_program(), link_, seconds_left()));
      if (!failure || failure->obstacle == SshObstacle::login) {
        key_.confirm();
        note_answer();
        return failure;
      }
      if (wish_.interrupted()) throw Error("interrupted");
      if (failure->obstacle == SshObstacle::host_key) {
        key_.learn_other();
      } else if (!std::exchange(again_, true) && Clock::now() < deadline_) {
        // It was there before: it restarts, or the guest does.
        await_server();
      } else {
        throw unreached(*failure);
      }
    }
  }

  /// Nothing where it ended well.
  std::optional<SshFailure> try_once(std::vector<std::string> argv) {
    SpawnOptions options;
    options.argv = std::move(argv);
    // A shared connection stays, and is to keep no disk from being unmounted.
    options.working_folder = "/";
    const auto done = capture(std::move(options), seconds_left() * std::chrono::seconds(1) + spare,
                              ssh_output_limit);
    if (done.end != CaptureEnd::by_itself || !done.output.ok())
      return read_ssh_failure(done.output.err);
    if (shares_badly(done.output.err)) stop_sharing();
    return std::nullopt;
  }

  void stop_sharing() {
    run_and_capture(ssh_exit_argv(ssh_program(), link_.control), std::chrono::seconds(5));
    write_file_atomic(unshared_mark(live_.plan.paths.runtime), "", 0600, Durability::quick);
    link_.control.clear();
  }

  void note_answer() const {
    if (has_answered(live_)) return;
    try {
      write_file_atomic(answered_mark(live_), "", 0600, Durability::quick);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Its folder went at a logout: it is waited for each time then.
    }
  }

  Error too_long() const {
    return TimeoutError("another command has been connecting to VM " + in_backticks(live_.name) +
                        " for too long");
  }

  Error refused(const SshFailure& failure) const {
    const auto user =
        link_.user.empty() ? std::string("this user") : "the user " + in_backticks(link_.user);
    Error error("the guest of VM " + in_backticks(live_.name) + " does not let " + user +
                " in: " + failure.said);
    error.help("`qlaunch ssh USER@" + live_.name + "` logs in as somebody else");
    if (live_.plan.guest.user.empty())
      error.help("`user = \"NAME\"` in [guest] makes a user whose keys are known");
    return error;
  }

  Error unreached(const SshFailure& failure) const {
    if (Clock::now() >= deadline_) refuse_paused();
    Error error("no ssh connection to VM " + in_backticks(live_.name) + " comes about" +
                (failure.said.empty() ? "" : ": " + failure.said));
    error.help("`qlaunch log " + shell_quote(live_.name) +
               "` shows what the guest says on its serial port");
    return error;
  }

  SshLink& link_;
  const LiveRecord& live_;
  const SshWish& wish_;
  GuestHostKey key_;
  Clock::time_point deadline_;
  bool again_ = false;
};

}  // namespace

SshDoor open_ssh(SshLink& link, const LiveRecord& live, const SshWish& wish,
                 std::optional<Error>& refusal) {
  return Opening(link, live, wish).run(refusal);
}

UniqueFd connect_ssh(const SshLink& link, const SshWish& wish) {
  return reach_port(link.host, link.port, Clock::now() + wish.timeout.value_or(short_patience),
                    wish.interrupted);
}

}  // namespace qlaunch
