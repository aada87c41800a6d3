// SPDX-License-Identifier: MIT
// A blocking QMP client over poll(), for commands that ask a few things and leave.
// Does not start threads, and does not run several commands at once: client.hpp does.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/error.hpp"
#include "qmp/options.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

struct Event;
struct Greeting;

class SyncClient {
 public:
  /// Connects and settles the capabilities, all within options.greeting.
  /// A server that listens but has not accepted yet is waited for. Throws Gone where nobody
  /// listens, where the peer hangs up or a watch fires; Busy where no greeting comes.
  explicit SyncClient(const std::filesystem::path& socket, const Options& options = {},
                      std::vector<Watch> watches = {});
  /// The same over a connected descriptor, which it owns from here on.
  static SyncClient adopt(int fd, const Options& options = {}, std::vector<Watch> watches = {});

  SyncClient(SyncClient&&) noexcept;
  SyncClient& operator=(SyncClient&&) noexcept;
  ~SyncClient();

  /// The value of the reply; Refused, Gone, Malformed or Timeout otherwise.
  nlohmann::json execute(std::string_view command);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments,
                         Deadline deadline);

  /// Runs a line of the human monitor and returns what it printed: errors are text there, too.
  std::string human_monitor(std::string_view line);
  /// Ends QEMU. A connection that closes instead of a reply counts as success.
  void quit();

  /// Takes the first event of these names (any, if empty) that came since the connection was made
  /// and was not taken yet; waits for one until the deadline, then nothing. Gone at the end.
  std::optional<Event> wait_event(const std::vector<std::string>& names, Deadline deadline);
  /// Forgets the events not taken yet, so that only what comes now is waited for.
  void discard_events();
  /// How many events were lost because nobody took them.
  [[nodiscard]] std::uint64_t lost_events() const;

  [[nodiscard]] const Greeting& greeting() const;
  /// For a caller's own poll(); readable means that wait_event() would not block for long.
  [[nodiscard]] int fd() const;

 private:
  class Impl;
  explicit SyncClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace qmp
