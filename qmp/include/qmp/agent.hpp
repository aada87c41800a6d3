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
#include <memory>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

struct AgentOptions {
  /// Until the agent has answered a sync, and until a command is answered.
  std::chrono::milliseconds reply{5000};
  std::size_t line_cap = default_line_cap;
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

  [[nodiscard]] int fd() const;

 private:
  class Impl;
  explicit Agent(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace qmp
