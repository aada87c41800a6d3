// SPDX-License-Identifier: MIT
// A client of the guest agent for Asio coroutines, with what agent.hpp has for blocking programs.
// Does not lock: one AgentClient and its coroutines belong to one thread.
#pragma once

#include "qmp/agent.hpp"
#include "qmp/guest.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <nlohmann/json.hpp>

namespace qmp {

/// The agent does one thing at a time: calls made while another is under way wait for their turn,
/// and their deadline runs meanwhile. An awaitable does nothing until it is awaited.
class AgentClient {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  /// Connects on the coroutine's executor; whether an agent answers is found out by the first call.
  static boost::asio::awaitable<AgentClient> connect(std::filesystem::path path,
                                                     AgentOptions options = {});
  static AgentClient adopt(Socket socket, const AgentOptions& options = {});

  AgentClient(AgentClient&&) noexcept = default;
  AgentClient& operator=(AgentClient&& other) noexcept;
  /// Closes the connection; whoever still waits gets Gone.
  ~AgentClient();

  boost::asio::awaitable<nlohmann::json> execute(std::string_view command,
                                                 const nlohmann::json& arguments = nullptr,
                                                 std::optional<Deadline> deadline = {});
  boost::asio::awaitable<void> ping(std::optional<Deadline> deadline = {});
  /// A typed command, see guest.hpp.
  template <class Result>
  boost::asio::awaitable<Result> call(Request<Result> request) {
    const nlohmann::json reply = co_await execute(request.command, request.arguments);
    co_return read_reply(request, reply);
  }

  /// Name the request before `co_await`: g++ 12 destroys one that is written in braces within the
  /// awaited expression as if it lay elsewhere.
  boost::asio::awaitable<ExecResult> exec(ExecRequest request, Deadline deadline);
  boost::asio::awaitable<void> read_file(std::string_view path, FileSink sink, Deadline deadline);
  boost::asio::awaitable<void> write_file(std::string_view path, FileSource source,
                                          Deadline deadline, std::string_view mode = "w");
  boost::asio::awaitable<void> shutdown(GuestShutdown how = GuestShutdown::powerdown);

  void close();

 private:
  class Core;
  explicit AgentClient(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::shared_ptr<Core> core_;
};

}  // namespace qmp
