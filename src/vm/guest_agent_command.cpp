// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/agent_exec.hpp"
#include "qmp/requests.hpp"
#include "vm/agent_socket.hpp"
#include "vm/guest_command.hpp"
#include "vm/power_off.hpp"

#include <algorithm>
#include <csignal>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Between two looks at what else may have happened.
constexpr auto look_again = milliseconds(250);
/// An agent that is well answers anything within milliseconds; on a busy host later.
constexpr auto silence_patience = std::chrono::seconds(10);
constexpr auto absence_patience = milliseconds(700);
/// After Ctrl-C, for the questions that end the command.
constexpr auto last_patience = std::chrono::seconds(3);

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

void check(const GuestCommand& command) {
  for (const auto& entry : command.environment) {
    const auto name = entry.substr(0, entry.find('='));
    if (is_name(name) && name.size() < entry.size()) continue;
    throw UsageError(in_backticks(entry) + " sets no variable of the environment")
        .help("write `NAME=VALUE`, the name of letters, digits and `_`");
  }
}

/// What stands in the way of an agent that says nothing, as far as QEMU knows it.
class Silence {
 public:
  Silence(const LiveRecord& live, const GuestCommand& command) : live_(live), command_(command) {}

  bool wait_on(milliseconds waited) {
    const auto now = Clock::now();
    if (command_.interrupted() || (command_.deadline && now >= *command_.deadline)) {
      if (!gave_up_) gave_up_ = now;
      return now - *gave_up_ < last_patience;
    }
    // Nothing in the guest has opened the agent's port, or the guest is paused: there is nobody to
    // wait for.
    if (!began_ && waited > absence_patience && !std::exchange(asked_, true)) {
      paused_ = !operation_under_way(live_.name) && stands_still();
      if (paused_ || !listens()) return false;
    }
    const auto patience = began_ ? Duration(silence_patience) : command_.patience;
    return waited < patience || stands_still();
  }
  void began() { began_ = true; }

  /// While another command has the agent. What runs already has to be ended by it first.
  void look(milliseconds waited) const {
    const bool interrupted = command_.interrupted();
    if (!interrupted && (!command_.deadline || Clock::now() < *command_.deadline)) return;
    if (began_ && waited < last_patience) return;
    Error error(interrupted ? "interrupted"
                            : "the guest agent of VM " + in_backticks(live_.name) +
                                  " was busy with other commands until the time was over",
                interrupted ? ExitCode::failed : ExitCode::timeout);
    if (began_) error.help("the command may still run in the guest");
    throw error;
  }
  bool held_up() const {
    return began_ ? stands_still() : operation_under_way(live_.name).has_value();
  }

  Error words(const qmp::Timeout& failure) const {
    const auto vm = "VM " + in_backticks(live_.name);
    if (command_.interrupted()) return Error("interrupted");
    if (began_) {
      const bool late = command_.deadline && Clock::now() >= *command_.deadline;
      Error error(
          "the guest agent of " + vm + " stopped answering in the middle of it: " + failure.what(),
          late ? ExitCode::timeout : ExitCode::failed);
      error.help("the command may still run in the guest");
      return error;
    }
    if (paused_)
      return StateError(vm + " stands still: its guest answers nothing")
          .help("`qlaunch resume " + shell_quote(live_.name) + "` lets it go on");
    if (!listens()) {
      TimeoutError error("no guest agent runs in " + vm);
      error.help("install qemu-guest-agent in the guest and start its service");
      error.help("`qlaunch wait --for agent " + shell_quote(live_.name) +
                 "` waits for a guest that still boots");
      return error;
    }
    TimeoutError error("the guest agent of " + vm + " does not answer");
    error.help("its service in the guest hangs: start it anew there");
    return error;
  }

 private:
  /// A guest that is paused, or whose state is being saved, answers later.
  bool stands_still() const {
    try {
      if (operation_under_way(live_.name)) return true;
      CommandSocket socket(live_, std::chrono::seconds(2));
      return !socket.client().call(qmp::query_status()).running;
    } catch (const std::exception&) {
      return false;
    }
  }
  bool listens() const {
    try {
      CommandSocket socket(live_, std::chrono::seconds(2));
      return agent_listens(socket.client());
    } catch (const std::exception&) {
      return true;  // nobody knows
    }
  }

  const LiveRecord& live_;
  const GuestCommand& command_;
  bool began_ = false, asked_ = false, paused_ = false;
  std::optional<Clock::time_point> gave_up_;
};

Error refused_words(const LiveRecord& live, const GuestCommand& command,
                    const qmp::Refused& refused) {
  // "The command guest-exec has been disabled", or an agent that has never heard of it.
  if (refused.error_class() == "CommandNotFound") {
    Error error("the guest agent of VM " + in_backticks(live.name) +
                " does not allow it: " + refused.desc());
    error.help(
        "in the guest, allow guest-exec, guest-exec-status and guest-file-*: in `block-rpcs` and "
        "`allow-rpcs` of /etc/qemu/qemu-ga.conf, or BLACKLIST_RPC or FILTER_RPC_ARGS in "
        "/etc/sysconfig/qemu-ga, and start the agent anew");
    return error;
  }
  return Error("the guest cannot run " + in_backticks(command.words.front()) + ": " +
               refused.desc());
}

}  // namespace

int run_by_agent(const LiveRecord& live, const GuestCommand& command) {
  check(command);
  Silence silence(live, command);
  try {
    qmp::AgentOptions options;
    options.reply = look_again;
    options.wait_on = [&](milliseconds waited) { return silence.wait_on(waited); };
    AgentSocket socket(
        live, command.patience, options,
        {[&](milliseconds waited) { silence.look(waited); }, [&] { return silence.held_up(); }});
    const AgentTurn turn{[&]() -> qmp::Agent& { return socket.agent(); }, [&] { socket.share(); }};
    socket.agent().sync();
    silence.began();
    AgentCommand work;
    work.words = {command.words, command.environment, command.folder, command.user};
    work.in = command.in;
    work.out = command.out;
    work.err = command.err;
    work.deadline = command.deadline;
    work.interrupted = command.interrupted;
    const auto end = run_agent_command(turn, work, command.started);
    switch (end.how) {
      case AgentCommandEnd::How::interrupted:
        throw Error("interrupted");
      case AgentCommandEnd::How::deadline:
        throw TimeoutError(in_backticks(command.words.front()) +
                           " did not end in time, and was ended");
      case AgentCommandEnd::How::unread:
        return 128 + SIGPIPE;
      case AgentCommandEnd::How::itself:
        break;
    }
    return end.code;
  } catch (const qmp::Refused& refused) {
    throw refused_words(live, command, refused);
  } catch (const qmp::Timeout& failure) {
    throw silence.words(failure);
  } catch (const qmp::Gone&) {
    throw StateError("VM " + in_backticks(live.name) + " ended before the command did");
  }
}

}  // namespace qlaunch
