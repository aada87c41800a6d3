// SPDX-License-Identifier: MIT
// What the guest agent can be asked, as types: programs, files, addresses, time, file systems.
// Does not touch a connection: Agent runs these, and so can any other driver of an AgentSession.
#pragma once

#include "qmp/requests.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace qmp {

struct ExecRequest {
  std::string path;
  std::vector<std::string> arguments = {};
  std::vector<std::string> environment = {};  ///< NAME=VALUE; the agent's own where there is none.
  std::string input = {};                     ///< For its standard input.
  bool capture = true;                        ///< Keep what it writes.
};

struct ExecResult {
  std::int64_t pid = 0;
  std::optional<int> code;    ///< Its exit code; nothing where a signal ended it.
  std::optional<int> signal;  ///< The signal; on Windows the unhandled exception.
  std::string out;
  std::string err;
  bool truncated = false;  ///< The agent keeps 16 MiB of each at most.
};

enum class GuestShutdown { powerdown, halt, reboot };

struct GuestAddress {
  std::string address;
  int prefix = 0;
  bool ipv6 = false;
};

struct GuestInterface {
  std::string name;
  std::string mac;  ///< Empty where it has none.
  std::vector<GuestAddress> addresses;
};

struct GuestOs {
  std::string id;      ///< "debian"; empty where the guest does not say, like the others
  std::string name;    ///< "Debian GNU/Linux"
  std::string pretty;  ///< "Debian GNU/Linux 12 (bookworm)"
  std::string version;
  std::string kernel;
  std::string machine;
};

Request<GuestOs> guest_os_info();
Request<std::vector<GuestInterface>> guest_interfaces();
/// Frozen file systems do not answer: between these two, ask the agent nothing else. The number is
/// that of file systems.
Request<std::int64_t> guest_freeze();
Request<std::int64_t> guest_thaw();
Request<bool> guest_frozen();
Request<std::chrono::system_clock::time_point> guest_time();
/// Without a time: the guest takes it from its hardware clock, as after a sleep of the host.
Request<void> guest_set_time(
    std::optional<std::chrono::system_clock::time_point> time = std::nullopt);

struct GuestPiece {
  std::string bytes;
  bool end = false;  ///< Nothing more is there now; a file that grows has more later.
};

/// The pieces of which the tasks below consist, for a driver of its own.
Request<std::int64_t> guest_exec(const ExecRequest& request);
/// Nothing while it runs.
Request<std::optional<ExecResult>> guest_exec_status(std::int64_t pid);
/// `mode` is fopen's. A handle is the agent's, not the connection's: it outlives that.
Request<std::int64_t> guest_file_open(std::string_view path, std::string_view mode);
Request<GuestPiece> guest_file_read(std::int64_t handle, std::size_t most);
/// How much was taken.
Request<std::int64_t> guest_file_write(std::int64_t handle, std::string_view bytes);
Request<void> guest_file_flush(std::int64_t handle);
Request<void> guest_file_close(std::int64_t handle);

/// Something that takes several commands of the agent's. Ask next(), let the agent carry it out
/// after the pause, hand the value of its answer to reply(), and so on until nothing is next.
class GuestTask {
 public:
  struct Step {
    std::string command;
    nlohmann::json arguments;
    std::chrono::milliseconds pause{0};
  };

  GuestTask() = default;
  GuestTask(const GuestTask&) = delete;
  GuestTask& operator=(const GuestTask&) = delete;
  virtual ~GuestTask() = default;

  virtual std::optional<Step> next() = 0;
  /// Throws Malformed where the value is not what the agent should say.
  virtual void reply(const nlohmann::json& value) = 0;
  /// After a failure in the middle: what closes what was opened in the guest.
  virtual std::optional<Step> abandon() { return std::nullopt; }
};

class ExecTask : public GuestTask {
 public:
  explicit ExecTask(ExecRequest request) : request_(std::move(request)) {}

  std::optional<Step> next() override;
  void reply(const nlohmann::json& value) override;
  [[nodiscard]] const ExecResult& result() const { return result_; }

 private:
  ExecRequest request_;
  ExecResult result_;
  bool started_ = false;
  bool exited_ = false;
  std::chrono::milliseconds pause_{2};
};

/// What reading and writing share: a file that is opened first and closed last.
class FileTask : public GuestTask {
 public:
  static constexpr std::size_t default_piece = std::size_t{256} << 10;

  std::optional<Step> next() override;
  void reply(const nlohmann::json& value) override;
  std::optional<Step> abandon() override;

 protected:
  FileTask(std::string_view path, std::string_view mode) : path_(path), mode_(mode) {}

  /// The next piece of work on an open file, nothing at the end.
  virtual std::optional<Step> work(std::int64_t handle) = 0;
  virtual void worked(const nlohmann::json& value) = 0;

 private:
  enum class Stage { open, work, close, done };

  std::string path_;
  std::string mode_;
  Stage stage_ = Stage::open;
  std::int64_t handle_ = 0;
};

class ReadTask : public FileTask {
 public:
  using Sink = std::function<void(std::string_view piece)>;

  ReadTask(std::string_view path, Sink sink, std::size_t piece = default_piece)
      : FileTask(path, "r"), sink_(std::move(sink)), piece_(piece) {}

 private:
  std::optional<Step> work(std::int64_t handle) override;
  void worked(const nlohmann::json& value) override;

  Sink sink_;
  std::size_t piece_;
  bool end_ = false;
};

class WriteTask : public FileTask {
 public:
  /// Gives the next piece, at most so long; an empty one is the end.
  using Source = std::function<std::string(std::size_t most)>;

  WriteTask(std::string_view path, Source source, std::string_view mode = "w",
            std::size_t piece = default_piece)
      : FileTask(path, mode), source_(std::move(source)), piece_(piece) {}

 private:
  std::optional<Step> work(std::int64_t handle) override;
  void worked(const nlohmann::json& value) override;

  Source source_;
  std::size_t piece_;
  std::string rest_;  // what the guest has not taken yet
};

}  // namespace qmp
