// SPDX-License-Identifier: MIT
// Whatever a peer sends, the QMP session neither crashes nor grows, and it understands the same
// however the bytes are cut. The first byte chooses how they are cut.
#include "qmp/session.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

namespace {

using qmp::Session;

std::string describe(const qmp::Message& message) {
  std::string text = std::to_string(message.index());
  const auto print = [](const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  if (const auto* reply = std::get_if<qmp::Reply>(&message)) {
    text += std::to_string(reply->id) + print(reply->value);
  } else if (const auto* event = std::get_if<qmp::Event>(&message)) {
    text +=
        event->name + print(event->data) + std::to_string(event->time.time_since_epoch().count());
  } else if (const auto* refusal = std::get_if<qmp::Refusal>(&message)) {
    text += std::to_string(refusal->id) + refusal->error_class + refusal->desc + refusal->sent;
  }
  return text;
}

/// A conversation with commands of each kind in it; what was understood, as text.
std::vector<std::string> play(std::string_view input, std::size_t piece) {
  Session session(4096, true);
  std::vector<std::string> seen;
  session.execute("a");
  session.execute("b", {{"x", 1}});
  const auto listen = [&] {
    while (const auto message = session.next()) {
      seen.push_back(describe(*message));
      if (std::holds_alternative<qmp::Ready>(*message)) {
        session.execute("c", nullptr, Session::Band::in, {7});
        session.execute("d", nullptr, Session::Band::in, {8});
        if (session.oob_enabled()) session.execute("e", nullptr, Session::Band::out);
        session.forget(1);
      }
      // Sent as soon as there is a word from the peer: how its bytes are cut must not matter.
      while (!session.outgoing().empty()) session.sent(session.outgoing().size());
    }
    if (session.in_flight() > 6) std::abort();
  };
  for (std::size_t at = 0; at < input.size(); at += piece) {
    session.feed(input.substr(at, piece));
    listen();
  }
  session.end_of_input();
  listen();
  if (!session.closed()) std::abort();
  seen.push_back(session.closed()->cause);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  // A line at the cap is found too long at the end of a piece or at the end of the line: either is
  // right, so what is compared stays below.
  const auto whole = play(input, input.size());
  if (size < 4096 && play(input, 1 + data[0] % 16U) != whole) std::abort();
  return 0;
}
