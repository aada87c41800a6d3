// SPDX-License-Identifier: MIT
// A session driven by hand: what it would send, what it understood, as text to compare.
// Does not know what is tested.
#pragma once

#include "peer.hpp"
#include "qmp/session.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace test {

inline std::string take_outgoing(qmp::Session& session) {
  std::string text(session.outgoing());
  session.sent(text.size());
  return text;
}

/// One word for each message, to compare whole conversations.
inline std::string describe(const qmp::Message& message) {
  struct Words {
    std::string operator()(const qmp::Greeting&) const { return "greeting"; }
    std::string operator()(const qmp::Ready&) const { return "ready"; }
    std::string operator()(const qmp::Reply& m) const {
      return "reply " + std::to_string(m.id) + " " + m.value.dump();
    }
    std::string operator()(const qmp::Refusal& m) const {
      return "refusal " + std::to_string(m.id) + " " + m.error_class + ": " + m.desc;
    }
    std::string operator()(const qmp::Complaint& m) const { return "complaint " + m.desc; }
    std::string operator()(const qmp::Event& m) const { return "event " + m.name; }
  };
  return std::visit(Words{}, message);
}

inline std::vector<std::string> drain(qmp::Session& session) {
  std::vector<std::string> result;
  while (const auto message = session.next()) result.push_back(describe(*message));
  return result;
}

inline qmp::Session ready_session() {
  qmp::Session session;
  session.feed(greeting);
  drain(session);
  session.feed("{\"return\": {}, \"id\": 1}\r\n");
  drain(session);
  take_outgoing(session);
  REQUIRE(session.state() == qmp::Session::State::ready);
  return session;
}

}  // namespace test
