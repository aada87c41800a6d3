// SPDX-License-Identifier: MIT
// What a Client and its background reader share: socket, session, waiting calls, subscriptions.
// Does not know deadlines: whoever waits brings its own timer.
#pragma once

#include "event_queue.hpp"
#include "qmp/options.hpp"
#include "qmp/session.hpp"
#include "socket.hpp"

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

namespace qmp {

/// A command under way. The timer ends the wait: by expiring, or cancelled once settled.
struct Call {
  Call(const boost::asio::any_io_executor& executor, std::string_view name)
      : timer(executor), command(name) {}

  boost::asio::steady_timer timer;
  std::string command;
  Id id = 0;
  std::vector<Fd> passed;  // open until they are sent for certain
  std::optional<nlohmann::json> value;
  std::exception_ptr failure;

  [[nodiscard]] bool settled() const { return value || failure; }
};

class ClientCore : public std::enable_shared_from_this<ClientCore> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  ClientCore(Socket socket, const Options& options);

  /// Starts the reader; it keeps the core alive until the connection is over.
  void start();

  std::shared_ptr<Call> issue(std::string_view command, const nlohmann::json& arguments,
                              Session::Band band = Session::Band::in,
                              const std::vector<int>& fds = {});
  void forget(const Call& call);
  std::shared_ptr<EventQueue> subscribe(EventQueue::Wanted wanted, std::size_t capacity);

  /// Ends the conversation and tells everybody who waits.
  void finish(Closed why);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] const Greeting& greeting() const { return greeting_; }
  /// What the peer could not read since it last answered something.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  Socket& socket() { return socket_; }
  /// Cancelled once the conversation is ready, or over.
  boost::asio::steady_timer& opening() { return opening_; }

 private:
  boost::asio::awaitable<void> read_all();
  boost::asio::awaitable<void> write_all();
  void flush();
  bool send_all();
  void drain();
  void dispatch(Message& message);
  void settle(Id id, std::optional<nlohmann::json> value, std::exception_ptr failure);
  void announce_end();

  Socket socket_;
  Options options_;
  Session session_;
  Greeting greeting_;
  std::string complaint_;
  boost::asio::steady_timer opening_;
  std::unordered_map<Id, std::shared_ptr<Call>> calls_;
  std::vector<std::weak_ptr<EventQueue>> queues_;
  bool writing_ = false;
  bool announced_ = false;
  std::array<char, 65536> buffer_;
};

}  // namespace qmp
