// SPDX-License-Identifier: MIT
#include "qmp/client.hpp"

#include "client_core.hpp"
#include "closed.hpp"
#include "socket.hpp"

#include <algorithm>
#include <utility>

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
      throw Timeout("`" + call->command + "` was not answered in time");
    }
  }
  if (call->failure) std::rethrow_exception(call->failure);
  co_return std::move(*call->value);
}

awaitable<std::string> text_of(awaitable<json> reply) {
  const json value = co_await std::move(reply);
  if (!value.is_string()) throw Malformed("the human monitor's answer is not text");
  co_return value.get<std::string>();
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
  // Asio takes the EAGAIN of a full listener's queue for a connection under way, and then for a
  // connection; so this one is made by hand. It does not wait: the thread has other work.
  Fd fd = connect_unix(path, Deadline::Clock::now());
  Socket socket(co_await asio::this_coro::executor);
  socket.assign(asio::local::stream_protocol(), fd.get());
  fd.release();
  options.greeting = std::chrono::ceil<std::chrono::milliseconds>(
      std::max(deadline.at() - Deadline::Clock::now(), Deadline::Clock::duration::zero()));
  co_return co_await adopt(std::move(socket), options);
}

awaitable<Client> Client::adopt(Socket socket, Options options) {
  prepare(socket.native_handle());
  Client client(std::make_shared<ClientCore>(std::move(socket), options));
  auto& core = *client.core_;
  const Deadline deadline = options.greeting;
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

awaitable<std::string> Client::human_monitor(std::string_view line,
                                             std::optional<Deadline> deadline) {
  return text_of(execute("human-monitor-command", json{{"command-line", line}}, deadline));
}

awaitable<void> Client::quit(std::optional<Deadline> deadline) {
  return end_of(execute("quit", nullptr, deadline));
}

Subscription Client::subscribe(std::vector<std::string> names) {
  return subscribe_if([names = std::move(names)](std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  });
}

Subscription Client::subscribe_if(std::function<bool(std::string_view)> wanted,
                                  std::size_t capacity) {
  return Subscription(core_->subscribe(std::move(wanted),
                                       capacity != 0 ? capacity : core_->options().event_capacity));
}

const Greeting& Client::greeting() const {
  return core_->greeting();
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
