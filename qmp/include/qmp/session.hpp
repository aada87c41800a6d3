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
#include <vector>

#include <nlohmann/json.hpp>

namespace qmp {

struct Envelope;

class Session {
 public:
  enum class State { greeting, negotiating, ready, closed };
  enum class Band { in, out };

  explicit Session(std::size_t line_cap = default_line_cap, bool want_oob = false)
      : lines_(line_cap), want_oob_(want_oob) {}

  /// Has the negotiation, and what is queued behind it, sent before the peer has greeted: QEMU then
  /// wakes once for all of it. Before any command, and not where out-of-band execution is wanted,
  /// which only a greeting can offer.
  void negotiate_early();

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
  /// Descriptors are only named here: they go along with the first byte, and whoever sends keeps
  /// them open until then. The peer holds one set at a time, so a command that passes some, and
  /// what is queued behind it, waits until an earlier one of that kind was answered.
  Id execute(std::string_view command, const nlohmann::json& arguments = nullptr,
             Band band = Band::in, std::vector<int> fds = {});
  /// Nobody waits for this one any more: its reply will be dropped.
  void forget(Id id);

  /// What is to be sent next; the views live until the next call that is not const.
  [[nodiscard]] std::string_view outgoing() const;
  /// To be passed along with the first byte of outgoing(), mostly none.
  [[nodiscard]] const std::vector<int>& outgoing_fds() const;
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
    Band band;
  };
  /// Text that is sent in one piece, with what goes along.
  struct Parcel {
    std::string text;
    std::vector<int> fds;
    Id id = 0;
  };

  std::optional<Message> interpret(std::string_view line);
  std::optional<Message> greeting(const Envelope& message);
  std::optional<Message> reply(Envelope& message);
  std::optional<Message> refusal(const Envelope& message);
  std::optional<Message> complaint(std::string error_class, std::string desc);
  std::optional<Message> event(Envelope& message);
  std::optional<Command> take(const Envelope& message);
  std::optional<Message> malformed(std::string cause);
  void queue(std::string_view text, std::vector<int> fds, Id id, Band band);
  [[nodiscard]] bool held() const;

  LineBuffer lines_;
  bool want_oob_;
  bool oob_enabled_ = false;
  bool asked_oob_ = false;
  bool early_ = false;
  bool end_ = false;
  std::string end_cause_;
  State state_ = State::greeting;
  std::optional<Closed> closed_;
  Id last_id_ = 0;
  Id negotiation_ = 0;
  std::unordered_map<Id, Command> in_flight_;
  std::uint64_t dropped_ = 0;
  // Replies come in the order of the commands, but for those out of band: what is up to
  // `answered_` is over. An error without an id can be given to a command only while nothing else
  // can be meant.
  Id answered_ = 0;
  Id forgotten_ = 0;   // the last one nobody waits for
  Id complained_ = 0;  // the last one that an error without an id was given to
  std::vector<Parcel> out_;
  std::size_t out_head_ = 0;  // what of the first parcel was sent
  Id passing_ = 0;            // sent with descriptors and not answered
};

}  // namespace qmp
