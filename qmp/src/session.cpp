// SPDX-License-Identifier: MIT
#include "qmp/session.hpp"

#include "envelope.hpp"
#include "qmp/error.hpp"
#include "wire.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace qmp {

using nlohmann::json;

void Session::negotiate_early() {
  if (state_ != State::greeting || last_id_ != 0 || want_oob_)
    throw std::logic_error("too late, or out-of-band execution is wanted");
  early_ = true;
  negotiation_ = execute("qmp_capabilities");
}

void Session::feed(std::string_view bytes) {
  if (!closed_ && !end_) lines_.feed(bytes);
}

void Session::end_of_input(std::string_view cause) {
  if (closed_ || end_) return;
  end_ = true;
  end_cause_ = cause;
}

void Session::close(Closed why) {
  if (closed_) return;
  closed_ = std::move(why);
  state_ = State::closed;
  lines_.clear();
  out_.clear();
  out_head_ = 0;
  in_flight_.clear();
}

Session::State Session::state() const {
  return state_;
}

std::optional<Message> Session::next() {
  while (!closed_) {
    const auto line = lines_.next();
    if (line) {
      if (is_blank(*line)) continue;
      if (auto message = interpret(*line)) return message;
      continue;
    }
    if (lines_.too_long()) return malformed("the peer sent a message longer than the limit");
    if (!end_) return std::nullopt;
    if (end_cause_.empty()) {
      end_cause_ = "the peer closed the connection";
      if (lines_.partial()) {
        end_cause_ += " in the middle of a message";
      } else if (state_ == State::greeting) {
        end_cause_ += " before its greeting";
      } else if (state_ == State::negotiating) {
        end_cause_ += " during the capability negotiation";
      }
    }
    close({Closed::Kind::gone, end_cause_});
  }
  return std::nullopt;
}

Id Session::execute(std::string_view command, const json& arguments, Band band,
                    std::vector<int> fds) {
  if (closed_) throw std::logic_error("the conversation is closed");
  if (band == Band::out && !oob_enabled_) {
    throw std::logic_error("out-of-band execution was not negotiated");
  }
  auto text = command_text(band == Band::out ? "exec-oob" : "execute", command, arguments);
  const Id id = ++last_id_;
  // No line end: QEMU reads a byte per pass of its main loop, and needs none.
  text += R"(,"id":)";
  text += std::to_string(id);
  text += '}';
  queue(text, std::move(fds), id, band);
  in_flight_.emplace(id, Command{std::string(command), std::move(text), band});
  return id;
}

void Session::queue(std::string_view text, std::vector<int> fds, Id id, Band band) {
  if (!fds.empty()) {
    out_.push_back({std::string(text), std::move(fds), id});
  } else if (band == Band::out && held()) {
    out_.insert(out_.begin(), Parcel{std::string(text), {}, id});
  } else if (out_.empty() || !out_.back().fds.empty()) {
    out_.push_back({std::string(text), {}, id});
  } else {
    out_.back().text += text;
  }
}

void Session::forget(Id id) {
  if (in_flight_.erase(id) == 0) return;
  const auto parcel = std::find_if(out_.begin(), out_.end(), [id](const Parcel& candidate) {
    return candidate.id == id && !candidate.fds.empty();
  });
  // What was not sent at all needs not be, and its descriptors may be closed now.
  if (parcel != out_.end() && (parcel != out_.begin() || out_head_ == 0)) {
    out_.erase(parcel);
  } else {
    forgotten_ = std::max(forgotten_, id);
  }
}

bool Session::held() const {
  return !out_.empty() && out_head_ == 0 && !out_.front().fds.empty() && passing_ != 0;
}

std::string_view Session::outgoing() const {
  const bool too_early = state_ == State::greeting && !early_;
  if (too_early || out_.empty() || held()) return {};
  return std::string_view(out_.front().text).substr(out_head_);
}

const std::vector<int>& Session::outgoing_fds() const {
  static const std::vector<int> none;
  return outgoing().empty() || out_head_ != 0 ? none : out_.front().fds;
}

void Session::sent(std::size_t bytes) {
  if (bytes == 0 || out_.empty()) return;
  auto& parcel = out_.front();
  if (out_head_ == 0 && !parcel.fds.empty()) passing_ = parcel.id;
  out_head_ += std::min(bytes, parcel.text.size() - out_head_);
  if (out_head_ != parcel.text.size()) return;
  out_.erase(out_.begin());
  out_head_ = 0;
}

std::optional<Message> Session::malformed(std::string cause) {
  close({Closed::Kind::malformed, std::move(cause)});
  return std::nullopt;
}

std::optional<Message> Session::interpret(std::string_view line) {
  Envelope message;
  try {
    message = read_envelope(line);
  } catch (const Malformed& problem) {
    return malformed(problem.what());
  }
  if (state_ == State::greeting) return greeting(message);
  if (message.has_return) return reply(message);
  if (message.has_error) return refusal(message);
  if (message.has_event) return event(message);
  if (message.has_greeting) return malformed("the peer sent a second greeting");
  return malformed("the peer sent an object that is neither reply nor event");
}

std::optional<Message> Session::greeting(const Envelope& message) {
  // QEMU gives to the next client what the one before has hung up on: events of a job that goes on.
  if (message.has_event && !message.has_greeting) return std::nullopt;
  if (!message.has_greeting || !message.greeting.is_object()) {
    return malformed("the peer did not begin with a QMP greeting");
  }
  const auto& body = message.greeting;
  Greeting result;
  result.version = body.value("version", json());
  if (const auto list = body.find("capabilities"); list != body.end() && list->is_array()) {
    for (const auto& entry : *list) {
      if (entry.is_string()) result.capabilities.push_back(entry.get<std::string>());
    }
  }
  const auto& offered = result.capabilities;
  asked_oob_ = want_oob_ && std::find(offered.begin(), offered.end(), "oob") != offered.end();

  state_ = State::negotiating;
  if (early_) return result;
  auto waiting = std::exchange(out_, {});
  negotiation_ =
      execute("qmp_capabilities", asked_oob_ ? json{{"enable", json::array({"oob"})}} : json());
  std::move(waiting.begin(), waiting.end(), std::back_inserter(out_));
  return result;
}

std::optional<Session::Command> Session::take(const Envelope& message) {
  // Ids of other kinds and sizes are not ours: we count up from 1.
  const auto id = message.id;
  if (message.id_kind == Envelope::IdKind::number && id != 0 && id <= last_id_) {
    auto node = in_flight_.extract(id);
    // Out of band, the order tells nothing about the others.
    if (!node || node.mapped().band == Band::in) {
      // What waits for the greeting has smaller ids than the negotiation that goes before it.
      if (id != negotiation_) answered_ = std::max(answered_, id);
      if (id >= passing_ && id != negotiation_) passing_ = 0;
    }
    if (id == passing_) passing_ = 0;
    if (node) return std::move(node.mapped());
  }
  ++dropped_;
  return std::nullopt;
}

std::optional<Message> Session::reply(Envelope& message) {
  if (!take(message)) return std::nullopt;
  if (message.id == negotiation_) {
    state_ = State::ready;
    oob_enabled_ = asked_oob_;
    return Ready{};
  }
  return Reply{message.id, std::move(message.value)};
}

std::optional<Message> Session::refusal(const Envelope& message) {
  auto error_class = string_or(message.error, "class", "GenericError");
  auto desc = string_or(message.error, "desc", "no reason was given");
  if (message.id_kind == Envelope::IdKind::none) {
    return complaint(std::move(error_class), std::move(desc));
  }
  auto command = take(message);
  if (!command) return std::nullopt;
  if (message.id == negotiation_) {
    return malformed("the capability negotiation was refused: " + desc);
  }
  return Refusal{message.id, std::move(error_class), std::move(desc), std::move(command->name),
                 std::move(command->text)};
}

std::optional<Message> Session::complaint(std::string error_class, std::string desc) {
  if (state_ == State::negotiating) {
    return malformed("the capability negotiation was refused: " + desc);
  }
  // One bad input can bring several of these, and so can a command that nobody waits for any more.
  const bool certain = in_flight_.size() == 1 && out_.empty() &&
                       in_flight_.begin()->second.band == Band::in && forgotten_ <= answered_ &&
                       complained_ <= answered_;
  if (!certain) return Complaint{std::move(error_class), std::move(desc)};
  auto node = in_flight_.extract(in_flight_.begin());
  complained_ = node.key();
  if (passing_ == complained_) passing_ = 0;
  return Refusal{complained_, std::move(error_class), std::move(desc),
                 std::move(node.mapped().name), std::move(node.mapped().text)};
}

std::optional<Message> Session::event(Envelope& message) {
  if (!message.event_is_text) return malformed("the peer sent an event without a name");
  return Event{std::move(message.event), std::move(message.data), message.time};
}

}  // namespace qmp
