// SPDX-License-Identifier: MIT
// A blocking QMP client over poll(), for commands that ask a few things and leave.
// Does not start threads, and does not run several commands at once: client.hpp does.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/error.hpp"
#include "qmp/options.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

struct Event;
struct Greeting;
struct JobOptions;
template <class Result>
struct Request;

class SyncClient {
 public:
  /// Connects and settles the capabilities, all within options.greeting.
  /// A server that listens but has not accepted yet is waited for. Throws Gone where nobody
  /// listens, where the peer hangs up or a watch fires; Busy where no greeting comes.
  explicit SyncClient(const std::filesystem::path& socket, const Options& options = {},
                      std::vector<Watch> watches = {});
  /// The same over a connected descriptor, which it owns from here on.
  static SyncClient adopt(int fd, const Options& options = {}, std::vector<Watch> watches = {});
  /// The same for the next QEMU that connects to a listening socket, which is made non-blocking and
  /// stays the caller's. Timeout where none does within options.greeting.
  static SyncClient accept(int listener, const Options& options = {},
                           std::vector<Watch> watches = {});

  SyncClient(SyncClient&&) noexcept;
  SyncClient& operator=(SyncClient&&) noexcept;
  ~SyncClient();

  /// The value of the reply; Refused, Gone, Malformed or Timeout otherwise.
  nlohmann::json execute(std::string_view command);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments);
  nlohmann::json execute(std::string_view command, const nlohmann::json& arguments,
                         Deadline deadline);

  /// Out of band: answered although a command before it is not. Needs Options::oob and a QEMU that
  /// offers it (see oob_enabled()), and a command that allows it.
  nlohmann::json execute_oob(std::string_view command, const nlohmann::json& arguments,
                             std::optional<Deadline> deadline = {});
  /// With descriptors for `getfd` or `add-fd`; they stay the caller's.
  nlohmann::json execute_with_fds(std::string_view command, const nlohmann::json& arguments,
                                  const std::vector<int>& fds,
                                  std::optional<Deadline> deadline = {});
  /// A typed command, see requests.hpp.
  template <class Result>
  Result call(const Request<Result>& request) {
    return read_reply(request, execute(request.command, request.arguments));
  }

  /// Runs a line of the human monitor and returns what it printed. Errors are text there, too: one
  /// that is marked as such, or any text where silence was expected, is thrown as Refused.
  std::string human_monitor(std::string_view line, HumanReply expected = HumanReply::text,
                            std::optional<Deadline> deadline = {});
  /// Starts a job and follows it to its end; the arguments name its `job-id`. JobFailed or
  /// JobCancelled where it does not succeed, Refused where it does not start. See job.hpp.
  void run_job(std::string_view command, const nlohmann::json& arguments,
               const JobOptions& options);
  /// Ends QEMU. A connection that closes instead of a reply counts as success.
  void quit();

  /// Takes the first event of these names (any, if empty) that came since the connection was made
  /// and was not taken yet; waits for one until the deadline, then nothing. Gone at the end.
  std::optional<Event> wait_event(const std::vector<std::string>& names, Deadline deadline);
  /// The same for events that pass.
  std::optional<Event> wait_event_if(const std::function<bool(const Event&)>& wanted,
                                     Deadline deadline);
  /// Forgets the events not taken yet, so that only what comes now is waited for.
  void discard_events();
  /// How many events were lost because nobody took them.
  [[nodiscard]] std::uint64_t lost_events() const;

  [[nodiscard]] const Greeting& greeting() const;
  [[nodiscard]] bool oob_enabled() const;
  /// For a caller's own poll(); readable means that wait_event() would not block for long.
  [[nodiscard]] int fd() const;

 private:
  class Impl;
  explicit SyncClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace qmp
