// SPDX-License-Identifier: MIT
#include "job_tracker.hpp"

#include "wire.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace qmp {

using nlohmann::json;

namespace {

// An event that was lost must not be waited for without end.
constexpr std::chrono::milliseconds unasked_interval{2000};

std::uint64_t number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

JobTracker::JobTracker(const json& arguments, JobOptions options)
    : id_(string_or(arguments, "job-id", string_or(arguments, "device", ""))),
      options_(std::move(options)),
      next_look_(Deadline::Clock::now()),
      deadline_(options_.deadline) {
  // A block job that is given no id is called like its device.
  if (id_.empty()) throw std::invalid_argument("the arguments name no `job-id`");
}

bool JobTracker::concerns(const Event& event) const {
  if (event.name == "JOB_STATUS_CHANGE") return string_or(event.data, "id", "") == id_;
  if (event.name.rfind("BLOCK_JOB_", 0) == 0) return string_or(event.data, "device", "") == id_;
  return false;
}

void JobTracker::on_event(const Event& event) {
  if (!concerns(event)) return;
  if (event.name == "BLOCK_JOB_COMPLETED") {
    // Block jobs dismiss themselves: this is the last time their error is told.
    verdict_ = true;
    error_ = string_or(event.data, "error", "");
  } else if (event.name == "BLOCK_JOB_CANCELLED") {
    verdict_ = true;
    if (!cancel_wanted_) error_ = "it was cancelled";
  }
  look_ = true;
}

std::optional<JobTracker::Command> JobTracker::command() {
  const auto ask = [this](Asked what, const char* name) {
    asked_ = what;
    return Command{name, json{{"id", id_}}};
  };
  if (done_) return std::nullopt;
  if (concluded_) return ask(Asked::dismiss, "job-dismiss");
  if (cancel_wanted_ && !std::exchange(cancel_sent_, true)) {
    look_ = true;
    return ask(Asked::cancel, "job-cancel");
  }
  if (options_.complete && ready_ && !std::exchange(completed_, true)) {
    return ask(Asked::complete, "job-complete");
  }
  if (options_.complete && pending_ && !std::exchange(finalized_, true)) {
    return ask(Asked::finalize, "job-finalize");
  }
  if (std::exchange(look_, false)) {
    asked_ = Asked::look;
    return Command{"query-jobs", nullptr};
  }
  return std::nullopt;
}

void JobTracker::replied(const json& value) {
  const auto asked = std::exchange(asked_, Asked::nothing);
  if (asked == Asked::dismiss) done_ = true;
  if (asked != Asked::look) return;
  const auto interval = options_.progress ? options_.interval : unasked_interval;
  next_look_ = Deadline::Clock::now() + interval;
  if (value.is_array()) {
    for (const auto& job : value) {
      if (string_or(job, "id", "") == id_) return look(job);
    }
  }
  done_ = true;  // it has dismissed itself
}

void JobTracker::look(const json& job) {
  const auto status = string_or(job, "status", "");
  // With a reason to wait for: an abort or a finalization passes by itself, and is told.
  ready_ = status == "ready" && !cancel_wanted_;
  pending_ = status == "pending" && !cancel_wanted_;
  if (status == "concluded") {
    concluded_ = verdict_ = true;
    error_ = string_or(job, "error", "");
    if (!options_.dismiss) done_ = true;
  }
  if (!options_.progress || cancel_wanted_) return;
  try {
    const JobProgress progress{status, number_of(job, "current-progress"),
                               number_of(job, "total-progress")};
    if (!options_.progress(progress)) cancel(std::make_exception_ptr(JobCancelled(id_)));
  } catch (...) {
    cancel(std::current_exception());
  }
}

void JobTracker::refused() {
  // The job has gone on to another state in the meantime: query-jobs tells.
  if (std::exchange(asked_, Asked::nothing) == Asked::dismiss) done_ = true;
  look_ = true;
}

Deadline JobTracker::wake() const {
  return std::min(next_look_, deadline_.at());
}

void JobTracker::tick() {
  if (deadline_.passed()) {
    if (cancel_wanted_) {
      // It was told to end and does not: whoever waits must not hang with it.
      done_ = true;
      return;
    }
    cancel(std::make_exception_ptr(Timeout("job `" + id_ + "` did not end in time")));
  }
  look_ = true;
}

void JobTracker::cancel(std::exception_ptr because) {
  if (std::exchange(cancel_wanted_, true)) return;
  because_ = std::move(because);
  deadline_ = Deadline(options_.cancel_patience);
}

void JobTracker::result() const {
  // Also for a job that succeeded at the last moment: the caller has turned away.
  if (because_) std::rethrow_exception(because_);
  if (!verdict_) throw JobFailed(id_, "it was gone before its result could be read");
  if (!error_.empty()) throw JobFailed(id_, error_);
}

}  // namespace qmp
