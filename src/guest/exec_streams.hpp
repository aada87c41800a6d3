// SPDX-License-Identifier: MIT
// The streams of a command in a guest, as files there: read and fed with the agent's calls. For
// agent_exec.cpp alone.
#pragma once

#include "guest/agent_exec.hpp"
#include "qmp/agent.hpp"
#include "qmp/guest.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qlaunch::guest_exec {

/// Questions to the agent, with what they all need.
class Questions {
 public:
  /// `give_up`: the command is to end.
  Questions(const AgentTurn& turn, const std::function<bool()>& give_up)
      : turn_(turn), give_up_(give_up) {}

  /// Of a loop that only the guest can end: without end, but for some seconds once the command is
  /// to end.
  class Patience {
   public:
    explicit Patience(Questions& questions) : questions_(questions) {}
    /// In each turn; throws Error when it is over.
    void check();

   private:
    Questions& questions_;
    std::optional<std::chrono::steady_clock::time_point> since_;
  };
  /// Whether a patience was over: there is nothing more to ask.
  bool lost() const { return lost_; }

  template <class Result>
  Result call(const qmp::Request<Result>& request) {
    for (Patience patience(*this);; patience.check()) {
      try {
        return turn_.agent().call(request);
      } catch (const qmp::Refused& refused) {
        if (!frozen(refused)) throw;
      }
    }
  }
  /// Nothing where there is no such file (yet).
  std::optional<std::int64_t> open(const std::string& path, std::string_view mode);
  void close(std::int64_t handle);
  void write(std::int64_t handle, std::string_view bytes);
  /// Started, not waited for.
  std::int64_t start(const std::string& path, std::vector<std::string> arguments);
  /// Its exit code.
  int await(std::int64_t pid);
  /// A line for sh, done when this returns: its exit code.
  int shell(const std::string& line);
  void share() { turn_.share(); }
  /// Why open() opened nothing, the last time.
  const std::string& refusal() const { return refusal_; }

 private:
  /// Whether the guest's file systems are held just now: then waits a little.
  bool frozen(const qmp::Refused& refused);

  const AgentTurn& turn_;
  const std::function<bool()>& give_up_;
  std::string refusal_;
  bool lost_ = false;
};

/// Passes what a guest says on to a descriptor of this process.
class Outlet {
 public:
  Outlet(int fd, const std::function<bool()>& give_up, Questions& questions)
      : fd_(fd), give_up_(give_up), questions_(questions) {}

  /// Nobody reads any more.
  bool closed() const { return closed_; }
  void pass(std::string_view bytes);

 private:
  int fd_;
  const std::function<bool()>& give_up_;
  Questions& questions_;
  bool closed_ = false;
};

/// One of the two outputs.
class Output {
 public:
  Output(Questions& questions, std::string prefix, Outlet outlet)
      : questions_(questions), prefix_(std::move(prefix)), outlet_(outlet) {}

  /// Passes on what there is; true where that was something. `last`: the command has ended, and
  /// what is not there now does not come any more.
  bool step(bool last);
  bool ended() const { return ended_; }
  /// It ended without ever having been there.
  bool missing() const { return ended_ && !handle_ && segment_ == 0; }
  bool closed() const { return outlet_.closed(); }
  /// Whether everything that was written before mark() has been passed on.
  bool reached() const;
  void mark();
  void close();

 private:
  /// False where there is nothing more just now.
  bool read();
  void next_segment(std::int64_t handle);

  Questions& questions_;
  std::string prefix_;
  Outlet outlet_;
  std::optional<std::int64_t> handle_, credit_;
  int segment_ = 0;
  std::size_t size_ = 0;  // of the segment, so far
  int marked_ = 0;        // the segment at mark()
  bool caught_up_ = false;
  int last_segments_ = 0;  // begun after the command's end
  bool ended_ = false;
};

/// What this process has on its input, for the command.
class Feed {
 public:
  Feed(Questions& questions, int fd) : questions_(questions), fd_(fd) {}

  /// What is there at once: nothing at all, the whole, or the beginning. `base` as in program().
  Input look(const std::string& base);
  const std::string& beginning() const { return pending_; }

  /// Hands over what there is; true where that was something.
  bool step();
  /// The descriptor to wait for, or -1.
  int wanted() const;
  void close();

 private:
  void take();
  bool ready() const;

  Questions& questions_;
  std::string base_;
  int fd_;
  std::string pending_;
  bool read_all_ = false;  // nothing more comes
  bool done_ = false;      // and the command knows it
  std::optional<std::int64_t> fifo_, taken_;
  std::uint64_t given_ = 0, acknowledged_ = 0;
};

}  // namespace qlaunch::guest_exec
