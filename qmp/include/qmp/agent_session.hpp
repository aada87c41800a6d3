// SPDX-License-Identifier: MIT
// The host's side of a conversation with the guest agent as a value: bytes in, answers out.
// Does not touch a socket, a clock or a source of random numbers.
#pragma once

#include "qmp/framing.hpp"
#include "qmp/options.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

namespace qmp {

/// The agent's replies carry no id: which one belongs to what is known only by a sync, and after it
/// by asking one thing at a time.
class AgentSession {
 public:
  enum class State { unsynced, syncing, ready, waiting };

  struct Synced {};
  struct Value {
    nlohmann::json value;
  };
  struct Refusal {
    std::string error_class;
    std::string desc;
    std::string command;
    std::string sent;
  };
  /// What came is no answer. The session must be synced again.
  struct Broken {
    std::string cause;
  };
  using Answer = std::variant<Synced, Value, Refusal, Broken>;

  explicit AgentSession(std::size_t line_cap = default_line_cap) : line_cap_(line_cap) {}

  /// Starts anew, whatever was under way: what is unsent is dropped, what still comes is skipped.
  /// The id should not be one that a guest can guess.
  void sync(std::uint32_t id);
  /// Queues a command. Only in state ready.
  void execute(std::string_view command, const nlohmann::json& arguments = nullptr);
  /// Nobody waits for the answer any more.
  void give_up() { state_ = State::unsynced; }

  void feed(std::string_view bytes);
  /// What the agent said, if it is what is waited for; all else is skipped.
  std::optional<Answer> next();

  [[nodiscard]] std::string_view outgoing() const { return out_; }
  void sent(std::size_t bytes) { out_.erase(0, bytes); }

  [[nodiscard]] State state() const { return state_; }

 private:
  std::optional<Answer> interpret(std::string_view line);
  Answer broken(std::string cause);

  std::size_t line_cap_;
  LineBuffer lines_{line_cap_};
  State state_ = State::unsynced;
  std::uint32_t sync_id_ = 0;
  std::string command_;
  std::string text_;
  std::string out_;
};

}  // namespace qmp
