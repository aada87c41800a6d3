// SPDX-License-Identifier: MIT
// How run_job() of the clients follows a job of QEMU's to its end, and how that end is told.
// Does not start one: the clients do.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace qmp {

struct JobProgress {
  std::string status;  ///< QEMU's word: running, ready, pending...
  std::uint64_t current = 0;
  std::uint64_t total = 0;  ///< Grows while the job learns what there is to do.
};

struct JobOptions {
  /// Until the command that starts the job is answered; Options::reply if there is none.
  /// `snapshot-save` and `snapshot-load` answer only when all is done.
  std::optional<Deadline> start;
  /// Until the job has ended. One that has not is cancelled, and Timeout thrown.
  Deadline deadline = Deadline::never();
  /// Called with every news, and at this interval. Returning false cancels the job; so does an
  /// exception, which is thrown on when the job has ended.
  std::function<bool(const JobProgress&)> progress;
  std::chrono::milliseconds interval{200};
  /// A mirror that is ready is completed, a job that is pending is finalized.
  bool complete = true;
  /// Without, a job that has ended stays in `query-jobs`: whoever comes after a caller that was
  /// killed can still learn how it went.
  bool dismiss = true;
  /// How long a cancelled job may take to end.
  std::chrono::milliseconds cancel_patience{10000};
};

/// The job ran and ended with an error. The connection is as good as before.
class JobFailed : public Error {
 public:
  JobFailed(std::string job, std::string reason)
      : Error("job `" + job + "` failed: " + reason),
        job_(std::move(job)),
        reason_(std::move(reason)) {}

  [[nodiscard]] const std::string& job() const { return job_; }
  /// QEMU's own words.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string job_;
  std::string reason_;
};

/// The job was cancelled because the caller wanted so.
class JobCancelled : public Error {
 public:
  explicit JobCancelled(const std::string& job) : Error("job `" + job + "` was cancelled") {}
};

}  // namespace qmp
