// SPDX-License-Identifier: MIT
// A job of QEMU's from its start to its dismissal, as a value: events and replies in, commands out.
// Does not talk to QEMU itself; run_job() of each client does what this says.
#pragma once

#include "qmp/job.hpp"
#include "qmp/message.hpp"

#include <exception>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace qmp {

class JobTracker {
 public:
  struct Command {
    const char* name;
    nlohmann::json arguments;
  };

  /// Finds the job's id in the command's arguments; invalid_argument where they name none.
  JobTracker(const nlohmann::json& arguments, JobOptions options);

  /// Whether an event is about this job.
  [[nodiscard]] bool concerns(const Event& event) const;
  void on_event(const Event& event);

  /// What to ask QEMU next, if anything; replied() or refused() must follow.
  std::optional<Command> command();
  void replied(const nlohmann::json& value);
  void refused();

  /// Until when to wait for an event if there is no command. tick() is due at that time.
  [[nodiscard]] Deadline wake() const;
  void tick();

  /// The caller wants it to end.
  void cancel(std::exception_ptr because);

  [[nodiscard]] bool done() const { return done_; }
  /// Throws unless the job has succeeded.
  void result() const;
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  void look(const nlohmann::json& job);

  enum class Asked { nothing, look, complete, finalize, cancel, dismiss };

  std::string id_;
  JobOptions options_;
  Deadline::Clock::time_point next_look_;
  Deadline deadline_;  // of the job; once it is cancelled, of its end
  Asked asked_ = Asked::nothing;
  bool look_ = true;  // something may have changed: ask query-jobs
  bool ready_ = false;
  bool completed_ = false;
  bool pending_ = false;
  bool finalized_ = false;
  bool cancel_wanted_ = false;
  bool cancel_sent_ = false;
  bool concluded_ = false;
  bool verdict_ = false;  // it is known how the job ended
  bool done_ = false;
  std::string error_;
  std::exception_ptr because_;
};

}  // namespace qmp
