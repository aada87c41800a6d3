// SPDX-License-Identifier: MIT
#include "qmp/agent.hpp"

#include "channel.hpp"
#include "qmp/framing.hpp"
#include "socket.hpp"
#include "wire.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace qmp {
namespace {

using nlohmann::json;

// JSON never holds this byte. To the agent it ends whatever half a command came before; from the
// agent it stands before the reply to guest-sync-delimited.
constexpr char sentinel = '\xff';

std::string command_text(std::string_view command, const json& arguments) {
  return R"({"execute":)" + to_text(json(command)) + arguments_member(arguments) + "}\n";
}

/// Not guessable by a guest that would like its stale replies believed.
std::uint32_t fresh_id() {
  std::random_device random;
  return (random() & 0x7fffffffU) | 1U;
}

}  // namespace

class Agent::Impl {
 public:
  Impl(Fd fd, const AgentOptions& options, std::vector<Watch> watches)
      : options_(options), channel_(std::move(fd), std::move(watches)), lines_(options.line_cap) {}

  void sync(Deadline deadline) {
    synced_ = false;
    const auto id = fresh_id();
    // What an earlier command left unsent is dropped; the sentinel ends its first half.
    out_ = sentinel + command_text("guest-sync-delimited", {{"id", id}});
    for (;;) {
      const auto line = read_line("guest-sync-delimited", deadline);
      if (!line) {
        throw Timeout(
            "the guest agent does not answer: it may not be installed or running in the guest, "
            "or another program holds its socket");
      }
      const auto mark = line->rfind(sentinel);
      if (mark == std::string::npos) continue;
      const auto reply = json::parse(line->substr(mark + 1), nullptr, false);
      if (reply.is_object() && reply.contains("return") && reply["return"] == id) break;
    }
    synced_ = true;
  }

  json execute(std::string_view command, const json& arguments, Deadline deadline) {
    auto text = command_text(command, arguments);
    if (!synced_) sync(deadline);
    out_ = text;
    // Until the reply is in, a failure leaves a reply under way that the next call must not take.
    synced_ = false;
    const auto line = read_line(command, deadline);
    if (!line)
      throw Timeout("the guest agent did not answer `" + std::string(command) + "` in time");
    auto reply = parse_object(*line);
    if (const auto error = reply.find("error"); error != reply.end()) {
      synced_ = true;
      text.pop_back();
      throw Refused(std::string(command), string_or(*error, "class", "GenericError"),
                    string_or(*error, "desc", "no reason was given"), std::move(text));
    }
    const auto value = reply.find("return");
    if (value == reply.end())
      throw Malformed("the guest agent's answer is neither value nor error");
    synced_ = true;
    return std::move(*value);
  }

  void send(std::string_view command, const json& arguments, Deadline deadline,
            std::chrono::milliseconds refusal_window) {
    if (!synced_) sync(deadline);
    try {
      execute(command, arguments, refusal_window);
    } catch (const Timeout&) {
      if (!out_.empty()) throw;  // it was not even sent
    } catch (const Gone&) {      // NOLINT(bugprone-empty-catch): the guest went down at once
    }
  }

  [[nodiscard]] const AgentOptions& options() const { return options_; }
  [[nodiscard]] int fd() const { return channel_.fd(); }

 private:
  using Wake = Channel::Wake;

  /// The next line that is not blank, nothing once the deadline has passed.
  std::optional<std::string> read_line(std::string_view command, Deadline deadline) {
    for (bool in_time = true;; in_time = pump(command, deadline)) {
      if (!in_time) return std::nullopt;
      while (const auto line = lines_.next()) {
        if (!is_blank(*line)) return std::string(*line);
      }
      if (lines_.too_long()) {
        lines_ = LineBuffer(options_.line_cap);
        throw Malformed("the guest agent sent a message longer than the limit");
      }
    }
  }

  bool pump(std::string_view command, Deadline deadline) {
    if (!out_.empty()) out_.erase(0, channel_.send(out_));
    if (deadline.passed()) return false;
    switch (channel_.wait(!out_.empty(), deadline)) {
      case Wake::input:
        lines_.feed(channel_.receive());
        if (channel_.ended()) gone(command);
        break;
      case Wake::watch:
        gone(command);
      case Wake::output:
        break;
      case Wake::timeout:
        return false;
    }
    return true;
  }

  [[noreturn]] void gone(std::string_view command) {
    auto cause = channel_.cause();
    if (cause.empty()) cause = "the agent's socket was closed";
    throw Gone("the connection ended before `" + std::string(command) + "` was answered: " + cause,
               cause);
  }

  AgentOptions options_;
  Channel channel_;
  LineBuffer lines_;
  std::string out_;
  bool synced_ = false;
};

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
Agent::~Agent() = default;

Agent::Agent(const std::filesystem::path& socket, const AgentOptions& options,
             std::vector<Watch> watches)
    : impl_(std::make_unique<Impl>(connect_unix(socket, options.reply), options,
                                   std::move(watches))) {}

Agent Agent::adopt(int fd, const AgentOptions& options, std::vector<Watch> watches) {
  Fd owned(fd);
  prepare(fd);
  return Agent(std::make_unique<Impl>(std::move(owned), options, std::move(watches)));
}

void Agent::sync() {
  sync(impl_->options().reply);
}
void Agent::sync(Deadline deadline) {
  impl_->sync(deadline);
}
void Agent::ping() {
  ping(impl_->options().reply);
}
void Agent::ping(Deadline deadline) {
  execute("guest-ping", nullptr, deadline);
}

json Agent::execute(std::string_view command) {
  return execute(command, nullptr);
}

json Agent::execute(std::string_view command, const json& arguments) {
  return execute(command, arguments, impl_->options().reply);
}

json Agent::execute(std::string_view command, const json& arguments, Deadline deadline) {
  return impl_->execute(command, arguments, deadline);
}

void Agent::send(std::string_view command, const json& arguments, Deadline deadline,
                 std::chrono::milliseconds refusal_window) {
  impl_->send(command, arguments, deadline, refusal_window);
}

int Agent::fd() const {
  return impl_->fd();
}

}  // namespace qmp
