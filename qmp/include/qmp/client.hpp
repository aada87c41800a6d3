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
struct JobOptions;
template <class Result>
struct Request;

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
  /// Gone where nobody listens or the peer hangs up; Busy where no greeting comes, or where the
  /// listener's queue stays full.
  static boost::asio::awaitable<Client> connect(std::filesystem::path path, Options options = {});
  /// The same over a connected socket. Close-on-exec is set on it.
  static boost::asio::awaitable<Client> adopt(Socket socket, Options options = {});
  /// The same for the next QEMU that connects to a listening socket, which is made non-blocking and
  /// stays the caller's. Timeout where none does within options.greeting.
  static boost::asio::awaitable<Client> accept(int listener, Options options = {});

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

  /// Out of band: answered although a command before it is not. Needs Options::oob and a QEMU that
  /// offers it (see oob_enabled()), and a command that allows it. QEMU reads ahead of the command
  /// it works on by eight: keep fewer in flight where such a call must get through.
  boost::asio::awaitable<nlohmann::json> execute_oob(std::string_view command,
                                                     const nlohmann::json& arguments = nullptr,
                                                     std::optional<Deadline> deadline = {});
  /// With descriptors for `getfd` or `add-fd`, which are duplicated: the caller may close its own.
  boost::asio::awaitable<nlohmann::json> execute_with_fds(std::string_view command,
                                                          const nlohmann::json& arguments,
                                                          const std::vector<int>& fds,
                                                          std::optional<Deadline> deadline = {});
  /// A typed command, see requests.hpp.
  template <class Result>
  boost::asio::awaitable<Result> call(Request<Result> request) {
    const nlohmann::json reply = co_await execute(request.command, request.arguments);
    co_return read_reply(request, reply);
  }

  /// Runs a line of the human monitor and returns what it printed. Errors are text there, too: one
  /// that is marked as such, or any text where silence was expected, is thrown as Refused.
  boost::asio::awaitable<std::string> human_monitor(std::string_view line,
                                                    HumanReply expected = HumanReply::text,
                                                    std::optional<Deadline> deadline = {});
  /// Starts a job and follows it to its end; the arguments name its `job-id`. JobFailed or
  /// JobCancelled where it does not succeed, Refused where it does not start. See job.hpp.
  /// Cancelling this cancels the job, and takes until that has ended.
  boost::asio::awaitable<void> run_job(std::string_view command, const nlohmann::json& arguments,
                                       JobOptions options);
  /// Ends QEMU. A connection that closes instead of a reply counts as success.
  boost::asio::awaitable<void> quit(std::optional<Deadline> deadline = {});

  /// Events of these names; all of them, if there are none.
  [[nodiscard]] Subscription subscribe(std::vector<std::string> names);
  /// Events that pass; `capacity` 0 means Options::event_capacity.
  [[nodiscard]] Subscription subscribe_if(std::function<bool(const Event&)> wanted,
                                          std::size_t capacity = 0);

  [[nodiscard]] const Greeting& greeting() const;
  [[nodiscard]] bool oob_enabled() const;
  /// False once the connection has ended, which is final.
  [[nodiscard]] bool is_open() const;
  /// The socket's descriptor, -1 when closed.
  [[nodiscard]] int fd() const;
  void close();

 private:
  static boost::asio::awaitable<Client> negotiate(Socket socket, Options options,
                                                  Deadline deadline);
  explicit Client(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}

  std::shared_ptr<ClientCore> core_;
};

}  // namespace qmp
