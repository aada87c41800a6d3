// SPDX-License-Identifier: MIT
// Nothing grows with the number of calls: not what is kept, and not what a call costs.
#include "counting.hpp"
#include "peer.hpp"
#include "qmp/agent_session.hpp"
#include "qmp/error.hpp"
#include "qmp/session.hpp"
#include "qmp/sync.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace std::chrono_literals;

namespace {

constexpr int calls = 500;

void check_none(const test::Allocations& growth, long tolerated = 0) {
  CHECK(growth.made <= tolerated);
  CHECK(growth.alive == 0);
  CHECK(growth.alive_size == 0);
}

}  // namespace

TEST_CASE("growth: it would be noticed") {
  std::string kept;
  const auto growth = test::growth([&] { kept.append(100000, 'x'); });
  CHECK(growth.alive_size > 0);
}

TEST_CASE("growth: a session, with replies, refusals, events, what is forgotten, what is unknown") {
  qmp::Session session;
  session.feed(test::greeting);
  session.feed("{\"return\": {}, \"id\": 1}\n");
  while (session.next()) {
  }
  // Ids of one length: a longer one is a longer text.
  for (qmp::Id id = 1; id < 9999; id = session.execute("x")) {
    session.forget(id);
    session.sent(session.outgoing().size());
  }
  session.forget(9999);
  const auto late = [](qmp::Id id) {
    return "{\"return\": 1, \"id\": " + std::to_string(id) + "}\n";
  };
  check_none(test::growth([&] {
    for (int i = 0; i < calls; ++i) {
      const auto answered = session.execute("query-status", {{"a", "b"}});
      const auto refused = session.execute("query-status");
      const auto slow = session.execute("slow");
      const auto silent = session.execute("silent");
      const auto passing = session.execute("getfd", nullptr, qmp::Session::Band::in, {5});
      while (!session.outgoing().empty()) session.sent(session.outgoing().size());
      session.forget(slow);
      session.forget(silent);  // and is never answered
      session.feed(late(answered) + "{\"id\": " + std::to_string(refused) +
                   ", \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n" +
                   "{\"event\": \"STOP\", \"data\": {\"n\": 1}}\n" + late(slow) + late(passing) +
                   "{\"return\": 1, \"id\": 999999}\n");
      int messages = 0;
      while (session.next()) ++messages;
      if (messages != 4 || session.in_flight() != 0) FAIL("the conversation went wrong");
    }
  }));
}

TEST_CASE("growth: an agent's session") {
  qmp::AgentSession session;
  check_none(test::growth([&] {
    for (int i = 0; i < calls; ++i) {
      session.sync(77);
      session.sent(session.outgoing().size());
      session.feed("stale\n\xff{\"return\": 77}\n");
      if (!session.next()) FAIL("no sync");
      session.execute("guest-ping");
      session.sent(session.outgoing().size());
      session.feed("{\"return\": {}}\n");
      if (!session.next()) FAIL("no answer");
      session.feed("{\"return\": \"unasked\"}\n");
    }
  }));
}

TEST_CASE("growth: the blocking client, with events that nobody takes") {
  test::Peer peer([](test::Stage& stage) {
    stage.open();
    for (;;) {
      const auto command = stage.hear();
      if (command.empty()) return;
      stage.line(R"({"event": "STOP", "data": {"n": 1}})");
      if (command.find("refused") != std::string::npos) {
        stage.refuse(command, "GenericError", "no");
      } else {
        stage.answer(command, "{}");
      }
    }
  });
  qmp::Options options;
  options.event_capacity = 16;
  auto client = qmp::SyncClient::adopt(peer.take(), options);
  for (int i = 0; i < 998; ++i) client.execute("x");  // ids of one length from here on
  check_none(
      test::growth([&] {
        for (int i = 0; i < calls; ++i) {
          client.execute("query-status", {{"a", "b"}});
          CHECK_THROWS_AS(client.execute("refused"), qmp::Refused);
        }
      }),
      250);  // how many messages come at once is chance, and the queue takes room for several
  CHECK(client.lost_events() > 2 * calls);
}
