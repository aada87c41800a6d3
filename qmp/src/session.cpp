// SPDX-License-Identifier: MIT
#include "qmp/session.hpp"

#include "qmp/error.hpp"
#include "wire.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace qmp {
namespace {

using nlohmann::json;

std::int64_t integer_or_zero(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::chrono::system_clock::time_point timestamp(const json& message) {
  const auto found = message.find("timestamp");
  if (found == message.end() || !found->is_object()) return {};
  // QEMU says -1 when its clock failed.
  const auto seconds = std::max<std::int64_t>(integer_or_zero(*found, "seconds"), 0);
  const auto micros = std::max<std::int64_t>(integer_or_zero(*found, "microseconds"), 0);
  constexpr std::int64_t far = 1LL << 33;  // past the year 2200, and safe to multiply
  return std::chrono::system_clock::time_point(std::chrono::seconds(std::min(seconds, far)) +
                                               std::chrono::microseconds(std::min(micros, far)));
}

}  // namespace

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
  held_.clear();
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

Id Session::execute(std::string_view command, const json& arguments, Band band) {
  if (closed_) throw std::logic_error("the conversation is closed");
  if (band == Band::out && !oob_enabled_) {
    throw std::logic_error("out-of-band execution was not negotiated");
  }
  std::string text = band == Band::out ? R"({"exec-oob":)" : R"({"execute":)";
  text += to_text(json(command)) + arguments_member(arguments);
  const Id id = ++last_id_;
  // No line end: QEMU reads a byte per pass of its main loop, and needs none.
  text += R"(,"id":)" + std::to_string(id) + "}";
  (state_ == State::greeting ? held_ : out_) += text;
  in_flight_.emplace(id, Command{std::string(command), std::move(text)});
  return id;
}

std::string_view Session::outgoing() const {
  return std::string_view(out_).substr(out_head_);
}

void Session::sent(std::size_t bytes) {
  out_head_ += std::min(bytes, out_.size() - out_head_);
  if (out_head_ == out_.size()) {
    out_.clear();
    out_head_ = 0;
  }
}

std::optional<Message> Session::malformed(std::string cause) {
  close({Closed::Kind::malformed, std::move(cause)});
  return std::nullopt;
}

std::optional<Message> Session::interpret(std::string_view line) {
  json message;
  try {
    message = parse_object(line);
  } catch (const Malformed& problem) {
    return malformed(problem.what());
  }
  if (state_ == State::greeting) return greeting(message);
  if (message.contains("return")) return reply(message);
  if (message.contains("error")) return refusal(message);
  if (message.contains("event")) return event(message);
  if (message.contains("QMP")) return malformed("the peer sent a second greeting");
  return malformed("the peer sent an object that is neither reply nor event");
}

std::optional<Message> Session::greeting(const json& message) {
  const auto found = message.find("QMP");
  if (found == message.end() || !found->is_object()) {
    return malformed("the peer did not begin with a QMP greeting");
  }
  Greeting result;
  result.version = found->value("version", json());
  if (const auto list = found->find("capabilities"); list != found->end() && list->is_array()) {
    for (const auto& entry : *list) {
      if (entry.is_string()) result.capabilities.push_back(entry.get<std::string>());
    }
  }
  const auto& offered = result.capabilities;
  asked_oob_ = want_oob_ && std::find(offered.begin(), offered.end(), "oob") != offered.end();

  state_ = State::negotiating;
  negotiation_ =
      execute("qmp_capabilities", asked_oob_ ? json{{"enable", json::array({"oob"})}} : json());
  out_ += std::exchange(held_, {});
  return result;
}

std::optional<Session::Command> Session::take(const json& message, Id& id) {
  const auto found = message.find("id");
  // Ids of other kinds and sizes are not ours: we count up from 1.
  if (found != message.end() && found->is_number_unsigned()) {
    id = found->get<Id>();
    if (auto node = in_flight_.extract(id)) return std::move(node.mapped());
  }
  ++dropped_;
  return std::nullopt;
}

std::optional<Message> Session::reply(json& message) {
  Id id = 0;
  if (!take(message, id)) return std::nullopt;
  if (id == negotiation_) {
    state_ = State::ready;
    oob_enabled_ = asked_oob_;
    return Ready{};
  }
  return Reply{id, std::move(message["return"])};
}

std::optional<Message> Session::refusal(const json& message) {
  const auto& error = message["error"];
  auto error_class = string_or(error, "class", "GenericError");
  auto desc = string_or(error, "desc", "no reason was given");
  if (!message.contains("id")) return Complaint{std::move(error_class), std::move(desc)};
  Id id = 0;
  auto command = take(message, id);
  if (!command) return std::nullopt;
  if (id == negotiation_) return malformed("the capability negotiation was refused: " + desc);
  return Refusal{id, std::move(error_class), std::move(desc), std::move(command->name),
                 std::move(command->text)};
}

std::optional<Message> Session::event(json& message) {
  auto& name = message["event"];
  if (!name.is_string()) return malformed("the peer sent an event without a name");
  Event result{name.get<std::string>(), nullptr, timestamp(message)};
  if (const auto data = message.find("data"); data != message.end()) result.data = std::move(*data);
  return result;
}

}  // namespace qmp
