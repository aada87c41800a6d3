// SPDX-License-Identifier: MIT
// A blocking client of the QEMU guest agent on its virtio-serial socket.
// Does not believe that an agent is there: every call has a deadline, and a guest may send
// anything.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/error.hpp"
#include "qmp/options.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

struct ExecRequest;
struct ExecResult;
enum class GuestShutdown;
template <class Result>
struct Request;
using FileSink = std::function<void(std::string_view piece)>;
using FileSource = std::function<std::string(std::size_t most)>;

struct AgentOptions {
  /// Until the agent has answered a sync, and until a command is answered.
  std::chrono::milliseconds reply{5000};
  std::size_t line_cap = default_line_cap;
  /// Asked each time that `reply` has passed without an answer, with the time since the command was
  /// sent: true waits as long again. The guest may stand still, or a person have enough of it.
  std::function<bool(std::chrono::milliseconds waited)> wait_on = {};
};

class Agent {
 public:
  /// Connects; whether an agent answers is found out by the first call.
  explicit Agent(const std::filesystem::path& socket, const AgentOptions& options = {},
                 std::vector<Watch> watches = {});
  static Agent adopt(int fd, const AgentOptions& options = {}, std::vector<Watch> watches = {});

  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;
  ~Agent();

  /// Gets rid of replies to what an earlier client asked, by guest-sync-delimited. Timeout where
  /// no agent runs. The first call, and the first after a failure, does this by itself.
  void sync();
  void sync(Deadline deadline);
  void ping();
  void ping(Deadline deadline);

  nlohmann::json execute(std::string_view command);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments,
                         Deadline deadline);

  /// For commands that answer only when they fail (`guest-shutdown`): syncs by the deadline, sends,
  /// then listens for a refusal for so long. Silence and a closing connection are success.
  void send(std::string_view command, const nlohmann::json& arguments, Deadline deadline,
            std::chrono::milliseconds refusal_window);

  /// A typed command, see guest.hpp.
  template <class Result>
  Result call(const Request<Result>& request) {
    return read_reply(request, execute(request.command, request.arguments));
  }

  /// Runs a program in the guest and waits for its end. After the deadline: Timeout, and the
  /// program goes on.
  ExecResult exec(const ExecRequest& request, Deadline deadline);
  /// Reads a file of the guest's from its start to its end, in pieces of at most so many bytes,
  /// into `sink`.
  void read_file(std::string_view path, const FileSink& sink, Deadline deadline,
                 std::size_t piece = std::size_t{256} << 10);
  /// Writes what `source` gives until it gives nothing. `mode` is fopen's: "w", "a", "r+"...
  void write_file(std::string_view path, const FileSource& source, Deadline deadline,
                  std::string_view mode = "w");
  /// Refused where the guest says no; otherwise it is on its way, which the agent does not answer.
  void shutdown(GuestShutdown how);

  [[nodiscard]] int fd() const;

 private:
  class Impl;
  explicit Agent(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace qmp
