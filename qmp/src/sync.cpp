// SPDX-License-Identifier: MIT
#include "qmp/sync.hpp"

#include "channel.hpp"
#include "closed.hpp"
#include "job_tracker.hpp"
#include "qmp/session.hpp"
#include "socket.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace qmp {

using nlohmann::json;

class SyncClient::Impl {
 public:
  using Wanted = std::function<bool(const Event&)>;

  Impl(Fd fd, const Options& options, std::vector<Watch> watches, Deadline greeting)
      : options_(options),
        channel_(std::move(fd), std::move(watches)),
        session_(options.line_cap, options.oob) {
    for (bool in_time = true; session_.state() != Session::State::ready; in_time = pump(greeting)) {
      if (session_.closed()) {
        std::rethrow_exception(closed_error(*session_.closed(), "it was ready for commands"));
      }
      if (in_time) continue;
      if (session_.state() == Session::State::greeting) throw Busy(no_greeting());
      throw Timeout(no_negotiation());
    }
  }

  json execute(std::string_view command, const json& arguments, Deadline deadline,
               Session::Band band = Session::Band::in, const std::vector<int>& fds = {}) {
    if (session_.closed()) std::rethrow_exception(unanswered(*session_.closed(), command));
    waiting_ = session_.execute(command, arguments, band, fds);
    answer_.reset();
    refusal_.reset();
    complaint_.clear();
    for (bool in_time = true;; in_time = pump(deadline)) {
      if (answer_) return std::move(*answer_);
      if (refusal_) {
        throw Refused(refusal_->command, refusal_->error_class, refusal_->desc, refusal_->sent);
      }
      if (session_.closed()) std::rethrow_exception(unanswered(*session_.closed(), command));
      if (in_time) continue;
      session_.forget(waiting_);
      throw Timeout(too_late(command, complaint_));
    }
  }

  void run_job(std::string_view command, const json& arguments, const JobOptions& options) {
    JobTracker job(arguments, options);
    execute(command, arguments, options.start.value_or(options_.reply));
    const Wanted concerns = [&job](const Event& event) { return job.concerns(event); };
    for (;;) {
      while (const auto event = take(concerns)) job.on_event(*event);
      if (job.done()) return job.result();
      if (const auto next = job.command()) {
        try {
          job.replied(execute(next->name, next->arguments, options_.reply));
        } catch (const Refused&) {
          job.refused();
        }
      } else if (const auto event = wait_event(concerns, job.wake())) {
        job.on_event(*event);
      } else {
        job.tick();
      }
    }
  }

  std::optional<Event> wait_event(const Wanted& wanted, Deadline deadline) {
    for (bool in_time = true;; in_time = pump(deadline)) {
      if (auto event = take(wanted)) return event;
      if (session_.closed()) {
        std::rethrow_exception(closed_error(*session_.closed(), "an awaited event came"));
      }
      if (!in_time) return std::nullopt;
    }
  }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Greeting& greeting() const { return greeting_; }
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] int fd() const { return channel_.fd(); }
  void discard_events() {
    // What the kernel already holds is old, too. The bound is for a peer that never pauses.
    for (int i = 0; i < 256 && !session_.closed(); ++i) {
      if (channel_.wait(false, Deadline::Clock::now()) != Wake::input) break;
      read();
    }
    events_.clear();
  }

 private:
  using Wake = Channel::Wake;

  /// The first event that is wanted, out of the queue.
  std::optional<Event> take(const Wanted& wanted) {
    const auto found = std::find_if(events_.begin(), events_.end(), wanted);
    if (found == events_.end()) return std::nullopt;
    std::optional<Event> event(std::move(*found));
    events_.erase(found);
    return event;
  }

  /// One wait and what it brings; false once the deadline has passed, even if something came:
  /// a peer that never stops talking must not hold up its client.
  bool pump(Deadline deadline) {
    flush();
    switch (channel_.wait(!session_.outgoing().empty(), deadline)) {
      case Wake::input:
        read();
        break;
      case Wake::watch:
        session_.end_of_input(channel_.cause());
        drain();
        break;
      case Wake::output:
      case Wake::timeout:
        break;
    }
    return !deadline.passed();
  }

  void flush() {
    for (auto text = session_.outgoing(); !text.empty(); text = session_.outgoing()) {
      const auto size = channel_.send(text, session_.outgoing_fds());
      if (size == 0) return;
      session_.sent(size);
    }
  }

  void read() {
    session_.feed(channel_.receive());
    if (channel_.ended()) session_.end_of_input(channel_.cause());
    drain();
  }

  void drain() {
    while (auto message = session_.next()) {
      if (auto* event = std::get_if<Event>(&*message)) {
        if (options_.event_capacity == 0 || events_.size() >= options_.event_capacity) {
          if (!events_.empty()) events_.pop_front();
          ++lost_;
        }
        if (options_.event_capacity != 0) events_.push_back(std::move(*event));
      } else if (auto* reply = std::get_if<Reply>(&*message)) {
        if (reply->id == waiting_) answer_ = std::move(reply->value);
      } else if (auto* refusal = std::get_if<Refusal>(&*message)) {
        if (refusal->id == waiting_) refusal_ = std::move(*refusal);
      } else if (auto* greeting = std::get_if<Greeting>(&*message)) {
        greeting_ = std::move(*greeting);
      } else if (auto* complaint = std::get_if<Complaint>(&*message)) {
        complaint_ = complaint->desc;
      }
    }
  }

  Options options_;
  Channel channel_;
  Session session_;
  Greeting greeting_;
  Id waiting_ = 0;
  std::optional<json> answer_;
  std::optional<Refusal> refusal_;
  std::string complaint_;
  std::deque<Event> events_;
  std::uint64_t lost_ = 0;
};

SyncClient::SyncClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SyncClient::SyncClient(SyncClient&&) noexcept = default;
SyncClient& SyncClient::operator=(SyncClient&&) noexcept = default;
SyncClient::~SyncClient() = default;

SyncClient::SyncClient(const std::filesystem::path& socket, const Options& options,
                       std::vector<Watch> watches) {
  const Deadline greeting = options.greeting;
  impl_ =
      std::make_unique<Impl>(connect_unix(socket, greeting), options, std::move(watches), greeting);
}

SyncClient SyncClient::adopt(int fd, const Options& options, std::vector<Watch> watches) {
  Fd owned(fd);
  prepare(fd);
  return SyncClient(
      std::make_unique<Impl>(std::move(owned), options, std::move(watches), options.greeting));
}

SyncClient SyncClient::accept(int listener, const Options& options, std::vector<Watch> watches) {
  const Deadline greeting = options.greeting;
  prepare(listener);
  auto fd = accept_unix(listener, greeting, watches);
  return SyncClient(std::make_unique<Impl>(std::move(fd), options, std::move(watches), greeting));
}

json SyncClient::execute(std::string_view command) {
  return execute(command, nullptr);
}

json SyncClient::execute(std::string_view command, const json& arguments) {
  return execute(command, arguments, impl_->options().reply);
}

json SyncClient::execute(std::string_view command, const json& arguments, Deadline deadline) {
  return impl_->execute(command, arguments, deadline);
}

json SyncClient::execute_oob(std::string_view command, const json& arguments,
                             std::optional<Deadline> deadline) {
  return impl_->execute(command, arguments, deadline.value_or(impl_->options().reply),
                        Session::Band::out);
}

json SyncClient::execute_with_fds(std::string_view command, const json& arguments,
                                  const std::vector<int>& fds, std::optional<Deadline> deadline) {
  return impl_->execute(command, arguments, deadline.value_or(impl_->options().reply),
                        Session::Band::in, fds);
}

std::string SyncClient::human_monitor(std::string_view line, HumanReply expected,
                                      std::optional<Deadline> deadline) {
  return human_text(line,
                    execute("human-monitor-command", json{{"command-line", line}},
                            deadline.value_or(impl_->options().reply)),
                    expected);
}

void SyncClient::run_job(std::string_view command, const json& arguments,
                         const JobOptions& options) {
  impl_->run_job(command, arguments, options);
}

void SyncClient::quit() {
  try {
    execute("quit");
  } catch (const Gone&) {  // NOLINT(bugprone-empty-catch): that is what was asked for
  }
}

std::optional<Event> SyncClient::wait_event(const std::vector<std::string>& names,
                                            Deadline deadline) {
  return impl_->wait_event(
      [&names](const Event& event) {
        return names.empty() || std::find(names.begin(), names.end(), event.name) != names.end();
      },
      deadline);
}

std::optional<Event> SyncClient::wait_event_if(const std::function<bool(const Event&)>& wanted,
                                               Deadline deadline) {
  return impl_->wait_event(wanted, deadline);
}

void SyncClient::discard_events() {
  impl_->discard_events();
}
std::uint64_t SyncClient::lost_events() const {
  return impl_->lost();
}
const Greeting& SyncClient::greeting() const {
  return impl_->greeting();
}
bool SyncClient::oob_enabled() const {
  return impl_->session().oob_enabled();
}
int SyncClient::fd() const {
  return impl_->fd();
}

}  // namespace qmp
