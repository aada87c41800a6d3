// SPDX-License-Identifier: MIT
// A QMP client for Asio coroutines: several commands in flight, events by subscription.
// Does not lock: one Client, its subscriptions and their coroutines belong to one thread.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/error.hpp"
#include "qmp/message.hpp"
#include "qmp/options.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <nlohmann/json.hpp>

namespace qmp {

class ClientCore;
class EventQueue;

/// A bounded queue of the events that were asked for. Make it before the command whose events
/// matter: an event can come before the reply. Dropping it unsubscribes.
class Subscription {
 public:
  explicit Subscription(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}

  /// The next event, or nothing once the deadline has passed. When the connection is over, first
  /// what is left in the queue, then Gone (or Malformed).
  boost::asio::awaitable<std::optional<Event>> next_event(Deadline deadline = Deadline::never());
  /// The same without waiting.
  std::optional<Event> poll_event();
  /// How many events were lost because nobody took them; the oldest go first.
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] bool overflowed() const { return lost() != 0; }

 private:
  std::shared_ptr<EventQueue> queue_;
};

class Client {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  /// Connects on the coroutine's executor and settles the capabilities within options.greeting.
  /// Gone where nobody listens or the peer hangs up; Busy where no greeting comes.
  static boost::asio::awaitable<Client> connect(std::filesystem::path path, Options options = {});
  /// The same over a connected socket. Close-on-exec is set on it.
  static boost::asio::awaitable<Client> adopt(Socket socket, Options options = {});

  Client(Client&&) noexcept = default;
  Client& operator=(Client&& other) noexcept;
  /// Closes the connection; whoever still waits gets Gone.
  ~Client();

  /// The command is on its way when this returns, in the order of the calls; awaiting gives the
  /// value of the reply, or Refused, Gone, Malformed or Timeout. The deadline runs from the call.
  /// Name arguments that are written as an initializer list, or the awaitable, before `co_await`:
  /// g++ 12 does not compile such a list within the awaited expression.
  boost::asio::awaitable<nlohmann::json> execute(std::string_view command,
                                                 const nlohmann::json& arguments = nullptr,
                                                 std::optional<Deadline> deadline = {});

  /// Runs a line of the human monitor and returns what it printed: errors are text there, too.
  boost::asio::awaitable<std::string> human_monitor(std::string_view line,
                                                    std::optional<Deadline> deadline = {});
  /// Ends QEMU. A connection that closes instead of a reply counts as success.
  boost::asio::awaitable<void> quit(std::optional<Deadline> deadline = {});

  /// Events of these names; all of them, if there are none.
  [[nodiscard]] Subscription subscribe(std::vector<std::string> names);
  /// Events whose name passes; `capacity` 0 means Options::event_capacity.
  [[nodiscard]] Subscription subscribe_if(std::function<bool(std::string_view)> wanted,
                                          std::size_t capacity = 0);

  [[nodiscard]] const Greeting& greeting() const;
  /// False once the connection has ended, which is final.
  [[nodiscard]] bool is_open() const;
  /// The socket's descriptor, -1 when closed.
  [[nodiscard]] int fd() const;
  void close();

 private:
  explicit Client(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}

  std::shared_ptr<ClientCore> core_;
};

}  // namespace qmp
