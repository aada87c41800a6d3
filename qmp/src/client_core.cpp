// SPDX-License-Identifier: MIT
#include "client_core.hpp"

#include "closed.hpp"
#include "qmp/error.hpp"

#include <type_traits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace qmp {

namespace asio = boost::asio;

ClientCore::ClientCore(Socket socket, const Options& options)
    : socket_(std::move(socket)),
      options_(options),
      session_(options.line_cap, options.oob),
      opening_(socket_.get_executor(), asio::steady_timer::time_point::max()) {}

void ClientCore::start() {
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->read_all(); },
      asio::detached);
}

std::shared_ptr<Call> ClientCore::issue(std::string_view command, const nlohmann::json& arguments,
                                        Session::Band band, const std::vector<int>& fds) {
  auto call = std::make_shared<Call>(socket_.get_executor(), command);
  if (session_.closed()) {
    call->failure = unanswered(*session_.closed(), command);
    return call;
  }
  std::vector<int> numbers;
  for (const int fd : fds) {
    call->passed.push_back(duplicate(fd));
    numbers.push_back(call->passed.back().get());
  }
  call->id = session_.execute(command, arguments, band, std::move(numbers));
  calls_.emplace(call->id, call);
  flush();
  return call;
}

void ClientCore::forget(const Call& call) {
  session_.forget(call.id);
  calls_.erase(call.id);
}

std::shared_ptr<EventQueue> ClientCore::subscribe(EventQueue::Wanted wanted, std::size_t capacity) {
  auto queue = std::make_shared<EventQueue>(socket_.get_executor(), std::move(wanted),
                                            std::max<std::size_t>(capacity, 1));
  if (session_.closed()) {
    queue->close(*session_.closed());
  } else {
    queues_.push_back(queue);
  }
  return queue;
}

void ClientCore::finish(Closed why) {
  session_.close(std::move(why));
  announce_end();
}

void ClientCore::announce_end() {
  if (std::exchange(announced_, true)) return;
  const Closed& why = *session_.closed();
  boost::system::error_code ignored;
  socket_.close(ignored);
  for (auto& [id, call] : std::exchange(calls_, {})) {
    call->failure = unanswered(why, call->command);
    call->timer.cancel();
  }
  for (const auto& weak : std::exchange(queues_, {})) {
    if (const auto queue = weak.lock()) queue->close(why);
  }
  opening_.cancel();
}

asio::awaitable<void> ClientCore::read_all() {
  const auto self = shared_from_this();  // the Client may be dropped while this waits
  try {
    while (!session_.closed()) {
      boost::system::error_code error;
      const auto size = co_await socket_.async_read_some(
          asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, error));
      session_.feed({buffer_.data(), size});
      // A reset means that the peer closed without having read everything: an end like any other.
      const bool plain = error == asio::error::eof || error == asio::error::connection_reset;
      if (error) session_.end_of_input(plain ? std::string() : error.message());
      drain();
    }
  } catch (const std::exception& problem) {
    // A subscriber's predicate threw, or memory ran out: nobody must wait for ever because of it.
    session_.close({Closed::Kind::gone, problem.what()});
  }
  announce_end();
}

bool ClientCore::send_all() {
  for (auto text = session_.outgoing(); !text.empty(); text = session_.outgoing()) {
    std::size_t size = 0;
    try {
      size = send_some(socket_.native_handle(), text, session_.outgoing_fds());
    } catch (const std::system_error& problem) {
      finish({Closed::Kind::gone, problem.code().message()});
      return true;
    }
    if (size == 0) return false;
    session_.sent(size);
  }
  return true;
}

void ClientCore::flush() {
  // Nearly always everything fits the socket's buffer, and no coroutine is needed.
  if (writing_ || send_all()) return;
  writing_ = true;
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->write_all(); },
      asio::detached);
}

asio::awaitable<void> ClientCore::write_all() {
  const auto self = shared_from_this();
  boost::system::error_code error;
  do {
    co_await socket_.async_wait(Socket::wait_write,
                                asio::redirect_error(asio::use_awaitable, error));
  } while (!error && !send_all());  // more may have been queued, or all given up
  writing_ = false;
}

void ClientCore::drain() {
  while (auto message = session_.next()) dispatch(*message);
  flush();
}

void ClientCore::dispatch(Message& message) {
  if (auto* event = std::get_if<Event>(&message)) {
    std::erase_if(queues_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : queues_) {
      if (const auto queue = weak.lock()) queue->push(*event);
    }
  } else if (auto* reply = std::get_if<Reply>(&message)) {
    complaint_.clear();
    settle(reply->id, std::move(reply->value), nullptr);
  } else if (auto* refusal = std::get_if<Refusal>(&message)) {
    settle(refusal->id, std::nullopt,
           std::make_exception_ptr(Refused(refusal->command, std::move(refusal->error_class),
                                           std::move(refusal->desc), std::move(refusal->sent))));
  } else if (auto* greeting = std::get_if<Greeting>(&message)) {
    greeting_ = std::move(*greeting);
  } else if (std::holds_alternative<Ready>(message)) {
    opening_.cancel();
  } else if (auto* complaint = std::get_if<Complaint>(&message)) {
    complaint_ = complaint->desc;
  }
}

void ClientCore::settle(Id id, std::optional<nlohmann::json> value, std::exception_ptr failure) {
  const auto node = calls_.extract(id);
  if (!node) return;
  auto& call = *node.mapped();
  call.value = std::move(value);
  call.failure = std::move(failure);
  call.passed.clear();
  call.timer.cancel();
}

}  // namespace qmp
