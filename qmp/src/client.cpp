// SPDX-License-Identifier: MIT
#include "qmp/client.hpp"

#include "client_core.hpp"
#include "closed.hpp"
#include "job_tracker.hpp"
#include "socket.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace qmp {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using nlohmann::json;

// These are free coroutines over what they need, so that a Client can be moved or dropped while
// somebody still waits.

awaitable<json> result_of(std::shared_ptr<ClientCore> core, std::shared_ptr<Call> call,
                          Deadline deadline) {
  if (!call->settled()) {
    call->timer.expires_at(deadline.at());
    boost::system::error_code error;
    co_await call->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (!call->settled()) {
      core->forget(*call);
      if (error) throw boost::system::system_error(error);  // the waiting itself was cancelled
      throw Timeout(too_late(call->command, core->complaint()));
    }
  }
  if (call->failure) std::rethrow_exception(call->failure);
  co_return std::move(*call->value);
}

awaitable<std::string> text_of(std::string line, awaitable<json> reply, HumanReply expected) {
  const json value = co_await std::move(reply);
  co_return human_text(line, value, expected);
}

awaitable<void> end_of(awaitable<json> reply) {
  try {
    co_await std::move(reply);
  } catch (const Gone&) {  // NOLINT(bugprone-empty-catch): that is what was asked for
  }
}

awaitable<std::optional<Event>> event_of(std::shared_ptr<EventQueue> queue, Deadline deadline) {
  for (;;) {
    if (auto event = queue->pop()) co_return event;
    if (queue->closed()) {
      std::rethrow_exception(closed_error(*queue->closed(), "an awaited event came"));
    }
    if (deadline.passed()) co_return std::nullopt;
    EventQueue::Timer timer(queue->executor(), deadline.at());
    const EventQueue::Waiter waiter(*queue, timer);
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
}

Client::Socket socket_of(const asio::any_io_executor& executor, Fd fd) {
  Client::Socket socket(executor);
  socket.assign(asio::local::stream_protocol(), fd.get());
  fd.release();
  return socket;
}

/// What an awaited part of a job threw because the job's own coroutine was cancelled. From then on
/// this coroutine cannot be cancelled: it has to see to the end of the job.
bool was_cancelled(const boost::system::system_error& problem) {
  return problem.code() == asio::error::operation_aborted;
}

awaitable<void> follow_job(std::shared_ptr<ClientCore> core, std::shared_ptr<EventQueue> events,
                           std::shared_ptr<JobTracker> job, awaitable<json> start) {
  std::exception_ptr cancelled;
  try {
    co_await std::move(start);
  } catch (const boost::system::system_error& problem) {
    if (!was_cancelled(problem)) throw;
    cancelled = std::current_exception();
  }
  for (;;) {
    if (cancelled) {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      job->cancel(std::exchange(cancelled, nullptr));
    }
    while (const auto event = events->pop()) job->on_event(*event);
    if (job->done()) co_return job->result();
    try {
      if (const auto next = job->command()) {
        bool refused = false;
        json reply;
        try {
          reply = co_await result_of(core, core->issue(next->name, next->arguments),
                                     core->options().reply);
        } catch (const Refused&) {
          refused = true;
        }
        refused ? job->refused() : job->replied(reply);
      } else if (const auto event = co_await event_of(events, job->wake())) {
        job->on_event(*event);
      } else {
        job->tick();
      }
    } catch (const boost::system::system_error& problem) {
      if (!was_cancelled(problem)) throw;
      cancelled = std::current_exception();
    }
  }
}

}  // namespace

awaitable<std::optional<Event>> Subscription::next_event(Deadline deadline) {
  return event_of(queue_, deadline);
}

std::optional<Event> Subscription::poll_event() {
  return queue_->pop();
}
std::uint64_t Subscription::lost() const {
  return queue_->lost();
}

awaitable<Client> Client::connect(std::filesystem::path path, Options options) {
  const Deadline deadline = options.greeting;
  const auto executor = co_await asio::this_coro::executor;
  // Asio takes the EAGAIN of a full listener's queue for a connection under way, and then for a
  // connection; so this one is made by hand. Nothing tells when there is room: it is tried again.
  auto fd = try_connect_unix(path);
  std::chrono::milliseconds pause{1};
  while (!fd) {
    if (deadline.passed()) throw Busy(queue_full(path));
    asio::steady_timer timer(executor, std::min(deadline.at(), Deadline::Clock::now() + pause));
    co_await timer.async_wait(asio::use_awaitable);
    pause = std::min(2 * pause, std::chrono::milliseconds{20});
    fd = try_connect_unix(path);
  }
  co_return co_await negotiate(socket_of(executor, std::move(*fd)), options, deadline);
}

awaitable<Client> Client::accept(int listener, Options options) {
  const Deadline deadline = options.greeting;
  const auto executor = co_await asio::this_coro::executor;
  prepare(listener);
  const auto waiting =
      std::make_shared<asio::posix::stream_descriptor>(executor, duplicate(listener).release());
  asio::steady_timer timer(executor, deadline.at());
  timer.async_wait([waiting](const boost::system::error_code& error) {
    if (!error) waiting->cancel();
  });
  for (;;) {
    if (auto fd = try_accept_unix(listener)) {
      timer.cancel();
      co_return co_await negotiate(socket_of(executor, std::move(*fd)), options, deadline);
    }
    boost::system::error_code error;
    co_await waiting->async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, error));
    if (error && deadline.passed()) throw Timeout(nobody_connected());
    if (error) throw boost::system::system_error(error);
  }
}

awaitable<Client> Client::adopt(Socket socket, Options options) {
  prepare(socket.native_handle());
  const Deadline deadline = options.greeting;
  return negotiate(std::move(socket), options, deadline);
}

awaitable<Client> Client::negotiate(Socket socket, Options options, Deadline deadline) {
  Client client(std::make_shared<ClientCore>(std::move(socket), options));
  auto& core = *client.core_;
  core.opening().expires_at(deadline.at());
  core.start();
  const auto& session = core.session();
  boost::system::error_code error;
  if (session.state() != Session::State::ready && !session.closed()) {
    co_await core.opening().async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
  if (session.closed()) {
    std::rethrow_exception(closed_error(*session.closed(), "it was ready for commands"));
  }
  if (session.state() == Session::State::ready) co_return client;
  if (error) throw boost::system::system_error(error);
  if (session.state() == Session::State::greeting) throw Busy(no_greeting());
  throw Timeout(no_negotiation());
}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Client::~Client() {
  if (core_) close();
}

awaitable<json> Client::execute(std::string_view command, const json& arguments,
                                std::optional<Deadline> deadline) {
  return result_of(core_, core_->issue(command, arguments),
                   deadline.value_or(core_->options().reply));
}

awaitable<json> Client::execute_oob(std::string_view command, const json& arguments,
                                    std::optional<Deadline> deadline) {
  return result_of(core_, core_->issue(command, arguments, Session::Band::out),
                   deadline.value_or(core_->options().reply));
}

awaitable<json> Client::execute_with_fds(std::string_view command, const json& arguments,
                                         const std::vector<int>& fds,
                                         std::optional<Deadline> deadline) {
  return result_of(core_, core_->issue(command, arguments, Session::Band::in, fds),
                   deadline.value_or(core_->options().reply));
}

awaitable<std::string> Client::human_monitor(std::string_view line, HumanReply expected,
                                             std::optional<Deadline> deadline) {
  return text_of(std::string(line),
                 execute("human-monitor-command", json{{"command-line", line}}, deadline),
                 expected);
}

awaitable<void> Client::run_job(std::string_view command, const json& arguments,
                                JobOptions options) {
  const auto start = options.start;
  auto job = std::make_shared<JobTracker>(arguments, std::move(options));
  auto events = core_->subscribe([job](const Event& event) { return job->concerns(event); },
                                 core_->options().event_capacity);
  return follow_job(core_, std::move(events), std::move(job), execute(command, arguments, start));
}

awaitable<void> Client::quit(std::optional<Deadline> deadline) {
  return end_of(execute("quit", nullptr, deadline));
}

Subscription Client::subscribe(std::vector<std::string> names) {
  return subscribe_if([names = std::move(names)](const Event& event) {
    return names.empty() || std::find(names.begin(), names.end(), event.name) != names.end();
  });
}

Subscription Client::subscribe_if(std::function<bool(const Event&)> wanted, std::size_t capacity) {
  return Subscription(core_->subscribe(std::move(wanted),
                                       capacity != 0 ? capacity : core_->options().event_capacity));
}

const Greeting& Client::greeting() const {
  return core_->greeting();
}
bool Client::oob_enabled() const {
  return core_->session().oob_enabled();
}
bool Client::is_open() const {
  return !core_->session().closed();
}

int Client::fd() const {
  return is_open() ? core_->socket().native_handle() : -1;
}

void Client::close() {
  core_->finish({Closed::Kind::gone, "this side closed the connection"});
}

}  // namespace qmp
