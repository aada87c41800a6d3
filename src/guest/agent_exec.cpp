// SPDX-License-Identifier: MIT
#include "guest/agent_exec.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/exec_streams.hpp"

#include <algorithm>
#include <array>
#include <random>

#include <poll.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using namespace guest_exec;
using std::chrono::milliseconds;

/// The agent tells nothing by itself: it is asked, soon at first and then less often.
constexpr auto first_pause = milliseconds(1);
constexpr auto longest_pause = milliseconds(40);
/// How long a command may take to end when it is asked to, and when it is killed.
constexpr auto grace = std::chrono::seconds(2);
constexpr auto kill_patience = std::chrono::seconds(10);
/// What a command has left running may hold its output open for ever.
constexpr auto linger = std::chrono::seconds(2);
/// And may write for ever.
constexpr auto longest_linger = std::chrono::seconds(5);

std::string fresh_base(const char* folder) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string out = std::string(folder) + "/qlaunch-exec-";
  for (int count = 0; count < 4; ++count) {
    auto number = random();
    for (int digit = 0; digit < 8; ++digit, number >>= 4U) out += digits[number & 15U];
  }
  return out;
}

class Execution {
 public:
  Execution(const AgentTurn& turn, const AgentCommand& command)
      : command_(command), questions_(turn, give_up_), feed_(questions_, command.in) {}

  AgentCommandEnd run(const std::function<void()>& started) {
    for (const char* folder : {"/run", "/tmp"}) {
      base_ = fresh_base(folder);
      start();
      started();
      if (const auto end = go_on()) return *end;
    }
    throw Error(
        "the guest has no room for the command's streams: neither /run nor /tmp can be "
        "written to");
  }

 private:
  void start() {
    out_.emplace(questions_, base_ + ".o", Outlet(command_.out, give_up_, questions_));
    err_.emplace(questions_, base_ + ".e", Outlet(command_.err, give_up_, questions_));
    const auto input = feed_.look(base_);
    qmp::ExecRequest request;
    request.arguments = program(base_, input, command_.words);
    if (input == Input::given) request.input = feed_.beginning();
    request.path = "setsid";
    try {
      pid_ = questions_.call(qmp::guest_exec(request));
    } catch (const qmp::Refused& refused) {
      if (refused.error_class() == "CommandNotFound") throw;
      // Where an agent finds few programs, a shell may find more.
      request.path = "/bin/sh";
      request.arguments.insert(
          request.arguments.begin(),
          {"-c", "PATH=$PATH:/run/current-system/sw/bin; export PATH; exec setsid \"$@\"",
           "qlaunch"});
      pid_ = questions_.call(qmp::guest_exec(request));
    }
  }

  /// Nothing where the guest has no room for its files there.
  std::optional<AgentCommandEnd> go_on() {
    try {
      follow();
      return finish();
    } catch (const qmp::Gone&) {
      throw;
    } catch (const qmp::Refused&) {
      if (abandon()) throw;
      throw Error("the guest was reset or went back to a snapshot before the command ended");
    } catch (const qmp::Error&) {
      abandon();
      throw;
    } catch (const Error&) {
      abandon();
      throw;
    }
  }

  void follow() {
    auto pause = first_pause;
    auto asked = Clock::now();
    for (;;) {
      bool moved = out_->step(false);
      moved = err_->step(false) || moved;
      moved = feed_.step() || moved;
      const auto now = Clock::now();
      if (!moved || now - asked > milliseconds(100)) {
        end_ = questions_.call(qmp::guest_exec_status(pid_));
        if (end_) return;
        asked = now;
      }
      stop_where_needed();
      questions_.share();
      look_for_leftovers();
      if (moved) {
        pause = first_pause;
        moved_ = now;
        continue;
      }
      pollfd input{feed_.wanted(), POLLIN, 0};
      if (poll(&input, 1, static_cast<int>(pause.count())) > 0) pause = first_pause;
      pause = std::min(pause * 2, longest_pause);
    }
  }

  /// Asks the command to end, and then ends it.
  void stop_where_needed() {
    using How = AgentCommandEnd::How;
    const auto now = Clock::now();
    if (how_ == How::itself) {
      std::string signal;
      if (command_.interrupted()) {
        how_ = How::interrupted;
        signal = "INT";
      } else if (out_->closed() || err_->closed()) {
        how_ = How::unread;
        signal = "PIPE";
      } else if (command_.deadline && now >= *command_.deadline) {
        how_ = How::deadline;
        signal = "TERM";
      } else {
        return;
      }
      questions_.shell(kill_line(base_, static_cast<long>(pid_), signal));
      stop_at_ = now + grace;
      return;
    }
    if (now < stop_at_) return;
    if (killed_) throw Error("the command does not end in the guest, although it was killed");
    kill_all();
    stop_at_ = now + kill_patience;
  }

  /// False where the guest is no longer the one that runs it.
  bool kill_all() {
    killed_ = true;
    return questions_.shell(kill_all_line(base_, static_cast<long>(pid_))) != other_run;
  }

  void look_for_leftovers() {
    const auto now = Clock::now();
    if (now - looked_ < linger / 2) return;
    looked_ = now;
    if (!ended_at_) {
      const auto file = questions_.open(base_ + ".x", "r");
      if (!file) return;
      const bool ended = !questions_.call(qmp::guest_file_read(*file, 16)).bytes.empty();
      questions_.close(*file);
      if (!ended) return;
      ended_at_ = now;
      out_->mark();
      err_->mark();
      return;
    }
    // What still came has come; or all that comes is of those it has left running.
    const bool quiet = now - moved_ >= linger;
    const bool late = now - *ended_at_ >= longest_linger && out_->reached() && err_->reached();
    // And again, where a reader was just being started.
    if (quiet || late) questions_.shell(let_go_line(base_));
  }

  std::optional<AgentCommandEnd> finish() {
    // What it has started may have been deaf to the signal that ended it.
    if (how_ != AgentCommandEnd::How::itself) kill_all();
    for (auto* output : {&*out_, &*err_}) {
      for (Questions::Patience patience(questions_); !output->ended(); patience.check())
        output->step(true);
    }
    const bool missing = out_->missing() || err_->missing();
    const auto refusal = questions_.refusal();
    const auto removal = questions_.start("/bin/sh", {"-c", remove_line(base_)});
    close_all();
    questions_.await(removal);
    AgentCommandEnd end;
    end.how = how_;
    end.code = end_->signal ? 128 + *end_->signal : end_->code.value_or(1);
    if (how_ != AgentCommandEnd::How::itself) return end;
    if (!end_->err.starts_with("qlaunch: ")) {
      if (missing) throw Error("the guest agent does not hand over the output: " + refusal);
      return end;
    }
    const std::string why(trim(end_->err.substr(9)));
    if (why == "files") return std::nullopt;
    if (why == "cd")
      throw Error("the guest has no folder " + in_backticks(command_.words.folder) +
                  " for the command to run in");
    throw Error("the guest lost some of the command's output: " + why)
        .help("it needs 8 MiB in /run, or in /tmp, for each of the two outputs");
  }

  void close_all() {
    out_->close();
    err_->close();
    feed_.close();
  }

  /// After a failure in the middle: the agent may still answer. False where the guest is another
  /// now: what has the command's numbers there belongs to others.
  bool abandon() {
    if (questions_.lost()) return true;
    try {
      if (!end_ && !kill_all()) return false;
      questions_.shell(remove_line(base_));
      close_all();
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // The first failure is the one to tell.
    }
    return true;
  }

  const AgentCommand& command_;
  std::string base_;
  std::function<bool()> give_up_ = [this] {
    return how_ != AgentCommandEnd::How::itself || command_.interrupted() ||
           (command_.deadline && Clock::now() >= *command_.deadline);
  };
  Questions questions_;
  Feed feed_;
  std::optional<Output> out_, err_;
  std::int64_t pid_ = 0;
  std::optional<qmp::ExecResult> end_;
  AgentCommandEnd::How how_ = AgentCommandEnd::How::itself;
  Clock::time_point stop_at_, moved_ = Clock::now(), looked_ = moved_;
  std::optional<Clock::time_point> ended_at_;  // about when
  bool killed_ = false;
};

}  // namespace

AgentCommandEnd run_agent_command(const AgentTurn& turn, const AgentCommand& command,
                                  const std::function<void()>& started) {
  return Execution(turn, command).run(started);
}

}  // namespace qlaunch
