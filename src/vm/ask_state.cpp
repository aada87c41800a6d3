// SPDX-License-Identifier: MIT
#include "vm/ask_state.hpp"

#include "core/error.hpp"
#include "host/lock.hpp"
#include "host/socket.hpp"
#include "qmp/session.hpp"

#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <variant>

#include <poll.h>
#include <sys/socket.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto answer_patience = std::chrono::seconds(2);
/// How often a socket is tried again that another command uses at this moment.
constexpr auto retry = std::chrono::milliseconds(5);

/// QEMU's word for its state to ours.
VmState from_qemu(const std::string& word) {
  if (word == "running") return VmState::running;
  if (word == "inmigrate") return VmState::starting;
  return VmState::paused;
}

/// One VM that is asked, without ever waiting by itself.
class Question {
 public:
  explicit Question(VmStatus& status) : status_(status), qemu_(open_pidfd(status.live->qemu)) {}

  bool done() const { return done_; }
  bool waits_for_lock() const { return !done_ && !socket_; }
  std::array<pollfd, 2> watched() const {
    return {{{socket_.get(), POLLIN, 0}, {qemu_.get(), POLLIN, 0}}};
  }

  /// Goes on as far as it can without waiting.
  void proceed() {
    try {
      if (!qemu_) return ended();
      if (!socket_ && !connect()) return;
      exchange();
    } catch (const std::exception&) {
      silent();
    }
  }

  void ended() {
    status_.state = VmState::stopped;
    done_ = true;
  }

  /// It does not answer, or hangs up: a QEMU on its way out.
  void silent() {
    status_.state = VmState::unresponsive;
    done_ = true;
  }

  /// A QEMU that hung up ends in a moment: the kernel takes a while to take a process apart.
  void settle(Clock::time_point deadline) {
    if (status_.state == VmState::unresponsive && hung_up_ && qemu_)
      wait_exit(qemu_.get(), deadline);
    if (status_.state != VmState::stopped && alive(status_.live->qemu)) return;
    status_.state = VmState::stopped;
    status_.live.reset();
  }

 private:
  bool connect() {
    const auto& live = *status_.live;
    const auto* qmp = live.plan.descriptor("qmp");
    if (qmp == nullptr) throw Error("it has no command socket");
    if (!lock_) lock_ = std::make_unique<FileLock>(live.plan.paths.runtime + "/qmp.lock");
    // QEMU serves one client per socket: without the lock a second command would hear nothing.
    if (!lock_->try_lock()) return false;
    socket_ = connect_unix(qmp->path);
    session_.negotiate_early();
    session_.execute("query-status");
    if (status_.ask_agent) session_.execute("query-chardev");
    return true;
  }

  void exchange() {
    std::array<char, 4096> bytes{};
    ssize_t got = 0;
    send_all();
    while ((got = recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0)
      session_.feed(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) session_.end_of_input();
    while (const auto message = session_.next()) {
      if (const auto* reply = std::get_if<qmp::Reply>(&*message)) answered(reply->value);
      if (done_) return;
    }
    if (session_.closed()) {
      hung_up_ = true;
      return silent();
    }
  }

  void send_all() {
    while (!session_.outgoing().empty()) {
      const auto text = session_.outgoing();
      const auto sent = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) break;
      session_.sent(static_cast<std::size_t>(sent));
    }
  }

  void answered(const nlohmann::json& value) {
    if (value.is_array()) {
      for (const auto& channel : value) {
        if (channel.value("label", "") == "agent")
          status_.agent_open = channel.value("frontend-open", false);
      }
    } else {
      status_.qemu_state = value.at("status").get<std::string>();
      status_.state = from_qemu(status_.qemu_state);
      if (status_.ask_agent) return;
    }
    done_ = true;
    // Whoever waits for this socket need not wait for the other VMs.
    socket_.reset();
    lock_.reset();
  }

  VmStatus& status_;
  UniqueFd qemu_;
  std::unique_ptr<FileLock> lock_;
  UniqueFd socket_;
  qmp::Session session_;
  bool done_ = false;
  bool hung_up_ = false;
};

/// Until one of them can go on. False at the deadline.
bool wait_for_any(std::deque<Question>& questions, Clock::time_point deadline) {
  std::vector<pollfd> waiting;
  std::vector<Question*> owners;
  auto until = deadline;
  for (auto& question : questions) {
    if (question.done()) continue;
    if (question.waits_for_lock()) until = std::min(until, Clock::now() + retry);
    for (const auto& each : question.watched()) {
      waiting.push_back(each);
      owners.push_back(&question);
    }
  }
  if (waiting.empty() || Clock::now() >= deadline) return false;
  poll(waiting.data(), waiting.size(), qmp::Deadline(until).poll_timeout());
  for (std::size_t index = 0; index < waiting.size(); ++index) {
    auto& question = *owners[index];
    if (question.done()) continue;
    const bool process = index % 2 == 1;
    if (process && waiting[index].revents != 0) question.ended();
    if (!process && (waiting[index].revents != 0 || question.waits_for_lock())) question.proceed();
  }
  return true;
}

}  // namespace

struct StateQuestions::All {
  std::deque<Question> questions;
  Clock::time_point deadline;
};

StateQuestions::StateQuestions() : all_(std::make_unique<All>()) {}
StateQuestions::~StateQuestions() = default;

void StateQuestions::ask(VmStatus& status) {
  if (all_->questions.empty()) all_->deadline = Clock::now() + answer_patience;
  all_->questions.emplace_back(status).proceed();
}

void StateQuestions::finish() {
  while (wait_for_any(all_->questions, all_->deadline)) {
  }
  for (auto& question : all_->questions) {
    if (!question.done()) question.silent();
    question.settle(all_->deadline);
  }
}

}  // namespace qlaunch
