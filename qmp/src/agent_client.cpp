// SPDX-License-Identifier: MIT
#include "qmp/agent_client.hpp"

#include "agent_words.hpp"
#include "qmp/agent_session.hpp"
#include "socket.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace qmp {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using nlohmann::json;
using State = AgentSession::State;

}  // namespace

class AgentClient::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Socket socket, const AgentOptions& options)
      : options_(options), socket_(std::move(socket)), session_(options.line_cap) {}

  /// The coroutines hold the core: an AgentClient may be moved or dropped while somebody waits.
  static awaitable<json> execute(std::shared_ptr<Core> self, std::string command, json arguments,
                                 Deadline deadline) {
    co_await self->wait_for_turn(command, deadline);
    const Turn turn(*self);
    if (self->session_.state() != State::ready) {
      self->session_.sync(fresh_id());
      if (!co_await self->answer("guest-sync-delimited", deadline)) throw agent_absent();
    }
    self->session_.execute(command, arguments);
    auto answer = co_await self->answer(command, deadline);
    if (!answer) throw agent_late(command);
    if (auto* value = std::get_if<AgentSession::Value>(&*answer)) co_return std::move(value->value);
    auto& refusal = std::get<AgentSession::Refusal>(*answer);
    throw Refused(refusal.command, refusal.error_class, refusal.desc, refusal.sent);
  }

  static awaitable<void> run(std::shared_ptr<Core> self, std::shared_ptr<GuestTask> task,
                             Deadline deadline) {
    std::exception_ptr failure;
    try {
      while (const auto step = task->next()) {
        asio::steady_timer pause(self->socket_.get_executor(),
                                 std::min(Deadline(step->pause).at(), deadline.at()));
        if (step->pause.count() > 0) co_await pause.async_wait(asio::use_awaitable);
        task->reply(co_await execute(self, step->command, step->arguments, deadline));
      }
    } catch (const Gone&) {
      throw;
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    // What the task left open in the guest is closed if that is possible at all.
    if (const auto step = task->abandon()) {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      try {
        co_await execute(self, step->command, step->arguments, self->options_.reply);
      } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the first failure is told
      }
    }
    std::rethrow_exception(failure);
  }

  static awaitable<ExecResult> exec(std::shared_ptr<Core> self, ExecRequest request,
                                    Deadline deadline) {
    const auto task = std::make_shared<ExecTask>(std::move(request));
    co_await run(std::move(self), task, deadline);
    co_return task->result();
  }

  static awaitable<void> ping(std::shared_ptr<Core> self, Deadline deadline) {
    co_await execute(std::move(self), "guest-ping", nullptr, deadline);
  }

  static awaitable<void> shutdown(std::shared_ptr<Core> self, GuestShutdown how) {
    co_await execute(self, "guest-ping", nullptr, self->options_.reply);  // somebody is there
    try {
      co_await execute(self, "guest-shutdown", shutdown_arguments(how), shutdown_window);
    } catch (const Timeout&) {  // NOLINT(bugprone-empty-catch): it does not answer
    } catch (const Gone&) {     // NOLINT(bugprone-empty-catch): the guest went down at once
    }
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto* waiter : waiters_) waiter->cancel();
  }

  [[nodiscard]] const AgentOptions& options() const { return options_; }

 private:
  /// One command's time with the agent, which the coroutine has waited for.
  class Turn {
   public:
    explicit Turn(Core& core) : core_(core) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      // Whatever ended it: what is still under way is nobody's any more.
      if (core_.session_.state() != State::ready) core_.session_.give_up();
      core_.busy_ = false;
      if (!core_.waiters_.empty()) core_.waiters_.front()->cancel();
    }

   private:
    Core& core_;
  };

  awaitable<void> wait_for_turn(std::string_view command, Deadline deadline) {
    while (busy_ && !closed_) {
      asio::steady_timer timer(socket_.get_executor(), deadline.at());
      waiters_.push_back(&timer);
      boost::system::error_code error;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &timer));
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
        if (!busy_ && !waiters_.empty()) waiters_.front()->cancel();  // the turn was not taken
        throw boost::system::system_error(asio::error::operation_aborted);
      }
      if (busy_ && deadline.passed()) throw agent_late(command);
    }
    if (closed_) throw agent_gone(command, {});
    busy_ = true;
  }

  /// Nothing once the deadline has passed.
  awaitable<std::optional<AgentSession::Answer>> answer(std::string_view command,
                                                        Deadline deadline) {
    // It cancels the wait for the socket, and must not do so for somebody else's wait.
    const auto armed = std::make_shared<bool>(true);
    const std::shared_ptr<void> disarm(nullptr, [armed](void*) { *armed = false; });
    asio::steady_timer alarm(socket_.get_executor(), deadline.at());
    alarm.async_wait([armed, self = shared_from_this()](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error && *armed) self->socket_.cancel(ignored);
    });
    for (;;) {
      if (auto answer = session_.next()) {
        if (auto* broken = std::get_if<AgentSession::Broken>(&*answer)) {
          throw Malformed(broken->cause);
        }
        co_return answer;
      }
      if (deadline.passed()) co_return std::nullopt;
      const auto text = session_.outgoing();
      if (!text.empty()) session_.sent(send_some(socket_.native_handle(), text, {}));
      boost::system::error_code error;
      co_await socket_.async_wait(
          session_.outgoing().empty() ? Socket::wait_read : Socket::wait_write,
          asio::redirect_error(asio::use_awaitable, error));
      if (closed_) throw agent_gone(command, "this side closed the connection");
      if (error && !deadline.passed()) throw boost::system::system_error(error);
      if (!error && session_.outgoing().empty()) receive(command);
    }
  }

  void receive(std::string_view command) {
    boost::system::error_code error;
    const auto size = socket_.read_some(asio::buffer(buffer_), error);
    session_.feed({buffer_.data(), size});
    if (!error || error == asio::error::would_block) return;
    close();
    throw agent_gone(command, {});
  }

  AgentOptions options_;
  Socket socket_;
  AgentSession session_;
  bool busy_ = false;
  bool closed_ = false;
  std::deque<asio::steady_timer*> waiters_;  // in the order in which they came
  std::array<char, 65536> buffer_;
};

awaitable<AgentClient> AgentClient::connect(std::filesystem::path path, AgentOptions options) {
  const auto executor = co_await asio::this_coro::executor;
  auto fd = connect_unix(path, Deadline::Clock::now());
  Socket socket(executor);
  socket.assign(asio::local::stream_protocol(), fd.get());
  fd.release();
  co_return adopt(std::move(socket), options);
}

AgentClient AgentClient::adopt(Socket socket, const AgentOptions& options) {
  prepare(socket.native_handle());
  socket.non_blocking(true);
  return AgentClient(std::make_shared<Core>(std::move(socket), options));
}

AgentClient& AgentClient::operator=(AgentClient&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

AgentClient::~AgentClient() {
  if (core_) close();
}

awaitable<json> AgentClient::execute(std::string_view command, const json& arguments,
                                     std::optional<Deadline> deadline) {
  return Core::execute(core_, std::string(command), arguments,
                       deadline.value_or(core_->options().reply));
}

awaitable<void> AgentClient::ping(std::optional<Deadline> deadline) {
  return Core::ping(core_, deadline.value_or(core_->options().reply));
}

awaitable<ExecResult> AgentClient::exec(ExecRequest request, Deadline deadline) {
  return Core::exec(core_, std::move(request), deadline);
}

awaitable<void> AgentClient::read_file(std::string_view path, FileSink sink, Deadline deadline) {
  return Core::run(core_, std::make_shared<ReadTask>(path, std::move(sink)), deadline);
}

awaitable<void> AgentClient::write_file(std::string_view path, FileSource source, Deadline deadline,
                                        std::string_view mode) {
  return Core::run(core_, std::make_shared<WriteTask>(path, std::move(source), mode), deadline);
}

awaitable<void> AgentClient::shutdown(GuestShutdown how) {
  return Core::shutdown(core_, how);
}

void AgentClient::close() {
  core_->close();
}

}  // namespace qmp
