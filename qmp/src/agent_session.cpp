// SPDX-License-Identifier: MIT
#include "qmp/agent_session.hpp"

#include "envelope.hpp"
#include "qmp/error.hpp"
#include "wire.hpp"

#include <stdexcept>
#include <utility>

namespace qmp {

using nlohmann::json;

namespace {

// JSON never holds this byte. To the agent it ends whatever half a command came before; from the
// agent it stands before the reply to guest-sync-delimited.
constexpr char sentinel = '\xff';

}  // namespace

void AgentSession::sync(std::uint32_t id) {
  state_ = State::syncing;
  lines_.clear();
  sync_id_ = id;
  out_ = sentinel + command_text("execute", "guest-sync-delimited", {{"id", id}}) + "}\n";
}

void AgentSession::execute(std::string_view command, const json& arguments) {
  if (state_ != State::ready) throw std::logic_error("the agent session is not ready");
  text_ = command_text("execute", command, arguments) + '}';
  lines_.clear();
  command_ = command;
  out_ = text_ + '\n';
  state_ = State::waiting;
}

void AgentSession::feed(std::string_view bytes) {
  // What comes unasked is nobody's answer, and must not pile up.
  if (state_ == State::syncing || state_ == State::waiting) lines_.feed(bytes);
}

std::optional<AgentSession::Answer> AgentSession::next() {
  while (state_ == State::syncing || state_ == State::waiting) {
    if (const auto line = lines_.next()) {
      if (is_blank(*line)) continue;
      if (auto answer = interpret(*line)) return answer;
      continue;
    }
    if (!lines_.too_long()) break;
    lines_ = LineBuffer(line_cap_);
    if (state_ == State::syncing) break;  // what an earlier command left behind
    return broken("the guest agent sent a message longer than the limit");
  }
  return std::nullopt;
}

AgentSession::Answer AgentSession::broken(std::string cause) {
  state_ = State::unsynced;
  return Broken{std::move(cause)};
}

std::optional<AgentSession::Answer> AgentSession::interpret(std::string_view line) {
  if (state_ == State::syncing) {
    const auto mark = line.rfind(sentinel);
    if (mark == std::string_view::npos) return std::nullopt;
    try {
      const auto reply = read_envelope(line.substr(mark + 1));
      if (!reply.has_return || reply.value != sync_id_) return std::nullopt;
    } catch (const Malformed&) {
      return std::nullopt;
    }
    state_ = State::ready;
    return Synced{};
  }
  try {
    auto reply = read_envelope(line);
    if (reply.has_error) {
      state_ = State::ready;
      return Refusal{string_or(reply.error, "class", "GenericError"),
                     string_or(reply.error, "desc", "no reason was given"), std::move(command_),
                     std::move(text_)};
    }
    if (!reply.has_return) return broken("the guest agent's answer is neither value nor error");
    state_ = State::ready;
    return Value{std::move(reply.value)};
  } catch (const Malformed& problem) {
    return broken(problem.what());
  }
}

}  // namespace qmp
