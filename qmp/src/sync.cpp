// SPDX-License-Identifier: MIT
#include "qmp/sync.hpp"

#include "channel.hpp"
#include "closed.hpp"
#include "qmp/session.hpp"
#include "socket.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace qmp {

using nlohmann::json;

class SyncClient::Impl {
 public:
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

  json execute(std::string_view command, const json& arguments, Deadline deadline) {
    if (session_.closed()) std::rethrow_exception(unanswered(*session_.closed(), command));
    waiting_ = session_.execute(command, arguments);
    answer_.reset();
    refusal_.reset();
    for (bool in_time = true;; in_time = pump(deadline)) {
      if (answer_) return std::move(*answer_);
      if (refusal_) {
        throw Refused(refusal_->command, refusal_->error_class, refusal_->desc, refusal_->sent);
      }
      if (session_.closed()) std::rethrow_exception(unanswered(*session_.closed(), command));
      if (in_time) continue;
      session_.forget(waiting_);
      throw Timeout("`" + std::string(command) + "` was not answered in time");
    }
  }

  std::optional<Event> wait_event(const std::vector<std::string>& names, Deadline deadline) {
    std::size_t seen = 0;  // events already found not to match
    for (bool in_time = true;;) {
      for (; seen < events_.size(); ++seen) {
        const auto& name = events_[seen].name;
        if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
        auto event = std::move(events_[seen]);
        events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(seen));
        return event;
      }
      if (session_.closed()) {
        std::rethrow_exception(closed_error(*session_.closed(), "an awaited event came"));
      }
      if (!in_time) return std::nullopt;
      const auto lost = lost_;
      in_time = pump(deadline);
      seen -= static_cast<std::size_t>(std::min<std::uint64_t>(seen, lost_ - lost));
    }
  }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Greeting& greeting() const { return greeting_; }
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

  /// One wait and what it brings; false once the deadline has passed, even if something came:
  /// a peer that never stops talking must not hold up its client.
  bool pump(Deadline deadline) {
    if (!session_.outgoing().empty()) session_.sent(channel_.send(session_.outgoing()));
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
        session_.close(unreadable(*complaint));
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

json SyncClient::execute(std::string_view command) {
  return execute(command, nullptr);
}

json SyncClient::execute(std::string_view command, const json& arguments) {
  return execute(command, arguments, impl_->options().reply);
}

json SyncClient::execute(std::string_view command, const json& arguments, Deadline deadline) {
  return impl_->execute(command, arguments, deadline);
}

std::string SyncClient::human_monitor(std::string_view line) {
  const auto reply = execute("human-monitor-command", json{{"command-line", line}});
  if (!reply.is_string()) throw Malformed("the human monitor's answer is not text");
  return reply.get<std::string>();
}

void SyncClient::quit() {
  try {
    execute("quit");
  } catch (const Gone&) {  // NOLINT(bugprone-empty-catch): that is what was asked for
  }
}

std::optional<Event> SyncClient::wait_event(const std::vector<std::string>& names,
                                            Deadline deadline) {
  return impl_->wait_event(names, deadline);
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
int SyncClient::fd() const {
  return impl_->fd();
}

}  // namespace qmp
