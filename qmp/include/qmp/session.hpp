// SPDX-License-Identifier: MIT
// The client's side of a QMP conversation as a value: bytes in, messages out, bytes to send out.
// Does not touch a socket, a clock or a thread; sync.hpp and client.hpp bring those.
#pragma once

#include "qmp/framing.hpp"
#include "qmp/message.hpp"
#include "qmp/options.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <nlohmann/json.hpp>

namespace qmp {

class Session {
 public:
  enum class State { greeting, negotiating, ready, closed };
  enum class Band { in, out };

  explicit Session(std::size_t line_cap = default_line_cap, bool want_oob = false)
      : lines_(line_cap), want_oob_(want_oob) {}

  /// Takes what the peer sent, in pieces of any size. Read the messages with next() afterwards.
  void feed(std::string_view bytes);
  /// The peer will send no more. A cause given here is what Closed tells.
  void end_of_input(std::string_view cause = {});
  /// The next message, or nothing until more bytes come or the conversation is closed.
  std::optional<Message> next();
  /// Gives the conversation up from this side.
  void close(Closed why);

  /// Queues a command. Those queued before the greeting follow the negotiation.
  /// Arguments are an object, or null for none. Must not be called once closed.
  Id execute(std::string_view command, const nlohmann::json& arguments = nullptr,
             Band band = Band::in);
  /// Nobody waits for this one any more: its reply will be dropped.
  void forget(Id id) { in_flight_.erase(id); }

  /// What is to be sent; the view lives until the next call that is not const.
  [[nodiscard]] std::string_view outgoing() const;
  void sent(std::size_t bytes);

  [[nodiscard]] State state() const;
  [[nodiscard]] const std::optional<Closed>& closed() const { return closed_; }
  [[nodiscard]] bool oob_enabled() const { return oob_enabled_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Replies that belonged to no command in flight.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Command {
    std::string name;
    std::string text;
  };

  std::optional<Message> interpret(std::string_view line);
  std::optional<Message> greeting(const nlohmann::json& message);
  std::optional<Message> reply(nlohmann::json& message);
  std::optional<Message> refusal(const nlohmann::json& message);
  std::optional<Message> event(nlohmann::json& message);
  std::optional<Command> take(const nlohmann::json& message, Id& id);
  std::optional<Message> malformed(std::string cause);

  LineBuffer lines_;
  bool want_oob_;
  bool oob_enabled_ = false;
  bool asked_oob_ = false;
  bool end_ = false;
  std::string end_cause_;
  State state_ = State::greeting;
  std::optional<Closed> closed_;
  Id last_id_ = 0;
  Id negotiation_ = 0;
  std::unordered_map<Id, Command> in_flight_;
  std::uint64_t dropped_ = 0;
  std::string held_;  // commands that wait for the greeting
  std::string out_;
  std::size_t out_head_ = 0;
};

}  // namespace qmp
