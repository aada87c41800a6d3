// SPDX-License-Identifier: MIT
#include "qmp/agent.hpp"

#include "agent_words.hpp"
#include "channel.hpp"
#include "qmp/agent_session.hpp"
#include "qmp/guest.hpp"
#include "socket.hpp"

#include <optional>
#include <string>
#include <utility>

namespace qmp {
namespace {

using nlohmann::json;
using State = AgentSession::State;

}  // namespace

class Agent::Impl {
 public:
  Impl(Fd fd, const AgentOptions& options, std::vector<Watch> watches)
      : options_(options),
        channel_(std::move(fd), std::move(watches)),
        session_(options.line_cap) {}

  void sync(Deadline deadline) {
    session_.sync(fresh_id());
    if (!await_patiently("guest-sync-delimited", deadline)) throw agent_absent();
  }

  json execute(std::string_view command, const json& arguments, Deadline deadline) {
    if (session_.state() != State::ready) sync(deadline);
    session_.execute(command, arguments);
    auto answer = await_patiently(command, deadline);
    if (!answer) {
      session_.give_up();
      throw agent_late(command);
    }
    if (auto* value = std::get_if<AgentSession::Value>(&*answer)) return std::move(value->value);
    auto& refusal = std::get<AgentSession::Refusal>(*answer);
    throw Refused(refusal.command, refusal.error_class, refusal.desc, refusal.sent);
  }

  void send(std::string_view command, const json& arguments, Deadline deadline,
            std::chrono::milliseconds refusal_window) {
    if (session_.state() != State::ready) sync(deadline);
    try {
      execute(command, arguments, refusal_window);
    } catch (const Timeout&) {
      if (!session_.outgoing().empty()) throw;
    } catch (const Gone&) {  // NOLINT(bugprone-empty-catch): the guest went down at once
    }
  }

  void run(GuestTask& task, Deadline deadline) {
    try {
      while (const auto step = task.next()) {
        pause(step->pause, deadline);
        task.reply(execute(step->command, step->arguments, deadline));
      }
    } catch (const Gone&) {
      throw;
    } catch (...) {
      tidy(task);
      throw;
    }
  }

  [[nodiscard]] const AgentOptions& options() const { return options_; }
  [[nodiscard]] int fd() const { return channel_.fd(); }

 private:
  using Wake = Channel::Wake;

  std::optional<AgentSession::Answer> await_patiently(std::string_view command, Deadline deadline) {
    const auto begun = Deadline::Clock::now();
    for (;;) {
      auto answer = await(command, deadline);
      if (answer || !options_.wait_on) return answer;
      const auto waited =
          std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - begun);
      if (!options_.wait_on(waited)) return std::nullopt;
      deadline = Deadline(options_.reply);
    }
  }

  /// The answer to what was queued, nothing once the deadline has passed.
  std::optional<AgentSession::Answer> await(std::string_view command, Deadline deadline) {
    for (;;) {
      if (auto answer = session_.next()) {
        if (auto* broken = std::get_if<AgentSession::Broken>(&*answer)) {
          throw Malformed(broken->cause);
        }
        return answer;
      }
      if (!session_.outgoing().empty()) session_.sent(channel_.send(session_.outgoing()));
      if (deadline.passed()) return std::nullopt;
      switch (channel_.wait(!session_.outgoing().empty(), deadline)) {
        case Wake::input:
          session_.feed(channel_.receive());
          if (channel_.ended()) gone(command);
          break;
        case Wake::watch:
          gone(command);
        case Wake::output:
          break;
        case Wake::timeout:
          return std::nullopt;
      }
    }
  }

  /// Waits without anything being under way; what comes in the meantime is nobody's.
  void pause(std::chrono::milliseconds length, Deadline deadline) {
    const Deadline end = std::min(Deadline(length).at(), deadline.at());
    while (!end.passed()) {
      switch (channel_.wait(false, end)) {
        case Wake::input:
          session_.feed(channel_.receive());
          if (channel_.ended()) gone("the rest");
          break;
        case Wake::watch:
          gone("the rest");
        default:
          break;
      }
    }
  }

  /// After a failure in the middle: what the task left open in the guest is closed if that is
  /// possible at all.
  void tidy(GuestTask& task) {
    const auto step = task.abandon();
    if (!step) return;
    try {
      execute(step->command, step->arguments, options_.reply);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the first failure is the one to tell
    }
  }

  [[noreturn]] void gone(std::string_view command) { throw agent_gone(command, channel_.cause()); }

  AgentOptions options_;
  Channel channel_;
  AgentSession session_;
};

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
Agent::~Agent() = default;

Agent::Agent(const std::filesystem::path& socket, const AgentOptions& options,
             std::vector<Watch> watches)
    : impl_(std::make_unique<Impl>(connect_unix(socket, options.reply), options,
                                   std::move(watches))) {}

Agent Agent::adopt(int fd, const AgentOptions& options, std::vector<Watch> watches) {
  Fd owned(fd);
  prepare(fd);
  return Agent(std::make_unique<Impl>(std::move(owned), options, std::move(watches)));
}

void Agent::sync() {
  sync(impl_->options().reply);
}
void Agent::sync(Deadline deadline) {
  impl_->sync(deadline);
}
void Agent::ping() {
  ping(impl_->options().reply);
}
void Agent::ping(Deadline deadline) {
  execute("guest-ping", nullptr, deadline);
}

json Agent::execute(std::string_view command) {
  return execute(command, nullptr);
}

json Agent::execute(std::string_view command, const json& arguments) {
  return execute(command, arguments, impl_->options().reply);
}

json Agent::execute(std::string_view command, const json& arguments, Deadline deadline) {
  return impl_->execute(command, arguments, deadline);
}

void Agent::send(std::string_view command, const json& arguments, Deadline deadline,
                 std::chrono::milliseconds refusal_window) {
  impl_->send(command, arguments, deadline, refusal_window);
}

ExecResult Agent::exec(const ExecRequest& request, Deadline deadline) {
  ExecTask task(request);
  impl_->run(task, deadline);
  return task.result();
}

void Agent::read_file(std::string_view path, const FileSink& sink, Deadline deadline,
                      std::size_t piece) {
  ReadTask task(path, sink, piece);
  impl_->run(task, deadline);
}

void Agent::write_file(std::string_view path, const FileSource& source, Deadline deadline,
                       std::string_view mode) {
  WriteTask task(path, source, mode);
  impl_->run(task, deadline);
}

void Agent::shutdown(GuestShutdown how) {
  send("guest-shutdown", shutdown_arguments(how), impl_->options().reply, shutdown_window);
}

int Agent::fd() const {
  return impl_->fd();
}

}  // namespace qmp
