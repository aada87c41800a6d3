// SPDX-License-Identifier: MIT
#include "talk.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using nlohmann::json;
using qmp::Closed;
using qmp::Session;
using test::describe;
using test::drain;
using test::ready_session;
using test::take_outgoing;

TEST_CASE("events that were meant for the client before come ahead of the greeting") {
  qmp::Session session;
  session.feed(R"({"timestamp": {}, "event": "JOB_STATUS_CHANGE", "data": {"status": "running"}})"
               "\r\n");
  CHECK_FALSE(session.next());
  CHECK(session.state() == Session::State::greeting);
  session.feed(test::greeting);
  const auto message = session.next();
  REQUIRE(message);
  CHECK(std::get_if<qmp::Greeting>(&*message) != nullptr);
}

TEST_CASE("greeting and negotiation") {
  Session session;
  CHECK(session.state() == Session::State::greeting);
  CHECK(session.outgoing().empty());
  session.feed(test::greeting);
  const auto message = session.next();
  REQUIRE(message);
  const auto* greeting = std::get_if<qmp::Greeting>(&*message);
  REQUIRE(greeting);
  CHECK(greeting->version["qemu"]["major"] == 7);
  CHECK(greeting->capabilities == std::vector<std::string>{"oob"});
  CHECK(session.state() == Session::State::negotiating);
  CHECK(take_outgoing(session) == R"({"execute":"qmp_capabilities","id":1})");
  session.feed("{\"return\": {}, \"id\": 1}\r\n");
  CHECK(drain(session) == std::vector<std::string>{"ready"});
  CHECK(session.state() == Session::State::ready);
  CHECK_FALSE(session.oob_enabled());
  CHECK_THROWS_AS(session.execute("x", nullptr, Session::Band::out), std::logic_error);
}

TEST_CASE("the negotiation need not wait for the greeting") {
  Session session;
  session.negotiate_early();
  const auto asked = session.execute("query-status");
  CHECK(take_outgoing(session) ==
        R"({"execute":"qmp_capabilities","id":1}{"execute":"query-status","id":2})");
  CHECK(session.state() == Session::State::greeting);
  session.feed(test::greeting);
  session.feed(
      "{\"return\": {}, \"id\": 1}\r\n{\"return\": {\"status\": \"paused\"}, \"id\": 2}\r\n");
  CHECK(drain(session).size() == 3);
  CHECK(session.state() == Session::State::ready);
  CHECK(session.outgoing().empty());
  CHECK(session.in_flight() == 0);
  CHECK(asked == 2);
  CHECK_THROWS_AS(session.negotiate_early(), std::logic_error);

  Session refused;
  refused.negotiate_early();
  refused.feed(test::greeting);
  refused.feed("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n");
  drain(refused);
  REQUIRE(refused.closed());
  CHECK(refused.closed()->cause == "the capability negotiation was refused: no");

  Session late;
  late.execute("query-status");
  CHECK_THROWS_AS(late.negotiate_early(), std::logic_error);
  Session with_oob(qmp::default_line_cap, true);
  CHECK_THROWS_AS(with_oob.negotiate_early(), std::logic_error);
}

TEST_CASE("a conversation means the same, split at every byte or joined") {
  const std::string rest =
      "{\"return\": {}, \"id\": 1}\r\n"
      "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 12, \"microseconds\": 34}}\r\n"
      "{\"return\": {\"text\": \"b\\n\\u00e4{[\"}, \"id\": 3}\r\n"  // reordered: 3 before 2
      "{\"event\": \"UNHEARD_OF\", \"data\": {\"x\": [1]}}\r\n"
      "{\"id\": 2, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no such thing\"}}\n"
      "\r\n"
      "{\"return\": [], \"id\": 4}\r\n";
  const std::string whole = std::string(test::greeting) + rest;
  const std::vector<std::string> expected = {
      "greeting",         "ready",
      "event STOP",       "reply 3 {\"text\":\"b\\n\xc3\xa4{[\"}",
      "event UNHEARD_OF", "refusal 2 CommandNotFound: no such thing",
      "reply 4 []"};
  const auto play = [&](const std::vector<std::string>& pieces) {
    Session session;
    std::vector<std::string> seen;
    for (const auto& piece : pieces) {
      session.feed(piece);
      while (const auto message = session.next()) {
        seen.push_back(describe(*message));
        if (seen.back() == "greeting") {
          for (const char* name : {"two", "three", "four"}) session.execute(name);
        }
      }
    }
    CHECK(seen == expected);
    CHECK_FALSE(session.closed());
    CHECK(session.in_flight() == 0);
  };
  play({whole});
  for (std::size_t at = 1; at < whole.size(); ++at) play({whole.substr(0, at), whole.substr(at)});
  std::vector<std::string> bytes;
  for (const char c : whole) bytes.emplace_back(1, c);
  play(bytes);
}

TEST_CASE("an event keeps its data and its time") {
  auto session = ready_session();
  session.feed(
      "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}, "
      "\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 250000}}\n"
      "{\"event\": \"X\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}\n");
  const auto first = session.next();
  REQUIRE(first);
  const auto& event = std::get<qmp::Event>(*first);
  CHECK(event.data == json{{"guest", true}});
  CHECK(event.time.time_since_epoch() == std::chrono::milliseconds(1700000000250));
  const auto second = session.next();
  REQUIRE(second);
  CHECK(std::get<qmp::Event>(*second).data.is_null());
  CHECK(std::get<qmp::Event>(*second).time.time_since_epoch().count() == 0);
}

TEST_CASE("a refusal says what was refused, and the text that was sent") {
  auto session = ready_session();
  session.execute("device_del", {{"id", "nic"}});
  session.feed("{\"id\": 2, \"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"gone\"}}\n");
  const auto message = session.next();
  REQUIRE(message);
  const auto& refusal = std::get<qmp::Refusal>(*message);
  CHECK(refusal.command == "device_del");
  CHECK(refusal.sent == R"({"execute":"device_del","arguments":{"id":"nic"},"id":2})");
}

TEST_CASE("garbage ends the conversation, after what came before it") {
  const auto play = [](const std::string& bytes) {
    auto session = ready_session();
    session.execute("x");
    session.feed("{\"return\": {}, \"id\": 2}\n" + bytes + "\n{\"event\": \"LATE\"}\n");
    CHECK(drain(session) == std::vector<std::string>{"reply 2 {}"});
    REQUIRE(session.closed());
    CHECK(session.state() == Session::State::closed);
    CHECK(session.closed()->kind == Closed::Kind::malformed);
    CHECK_THROWS_AS(session.execute("y"), std::logic_error);
    return session.closed()->cause;
  };
  CHECK(play("SSH-2.0-OpenSSH_9.2") == "the peer sent what is not JSON: `SSH-2.0-OpenSSH_9.2`");
  CHECK(play("{\"event\": \"a\xff\"}") == "the peer sent what is not JSON: `{\"event\": \"a?\"}`");
  CHECK(play("{\"event\": \"A\"}}") == "the peer sent what is not JSON: `{\"event\": \"A\"}}`");
  CHECK(play("{\"return\": {}") == "the peer sent what is not JSON: `{\"return\": {}`");
  CHECK(play(std::string(1, '\0')) == "the peer sent what is not JSON: `?`");
  CHECK(play(std::string(50, 'a')) ==
        "the peer sent what is not JSON: `" + std::string(40, 'a') + "...`");
  CHECK(play("[1]") == "the peer sent JSON that is not an object: `[1]`");
  CHECK(play("{\"hello\": 1}") == "the peer sent an object that is neither reply nor event");
  CHECK(play("{\"event\": 7}") == "the peer sent an event without a name");
  CHECK(play("{\"QMP\": {}}") == "the peer sent a second greeting");
  CHECK(play("{\"return\": " + std::string(2000, '[') + std::string(2000, ']') + "}") ==
        "the peer sent JSON nested deeper than 1024 levels");
}

TEST_CASE("a peer that does not begin as QMP does is not one") {
  Session session;
  SUBCASE("an agent's reply") {
    session.feed("{\"return\": {}}\n");
  }
  SUBCASE("a greeting of the wrong shape") {
    session.feed("{\"QMP\": 7}\n");
  }
  CHECK(drain(session).empty());
  REQUIRE(session.closed());
  CHECK(session.closed()->kind == Closed::Kind::malformed);
  CHECK(session.closed()->cause == "the peer did not begin with a QMP greeting");
}

TEST_CASE("a refused negotiation ends the conversation") {
  Session session;
  session.feed(test::greeting);
  drain(session);
  session.feed("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
  CHECK(drain(session).empty());
  REQUIRE(session.closed());
  CHECK(session.closed()->cause == "the capability negotiation was refused: no");
}

TEST_CASE("half a character at the end of a piece is no end of it, at the end of a line it is") {
  auto session = ready_session();
  session.execute("x");
  session.feed("{\"id\": 2, \"return\": \"\xe2\x82");
  CHECK(drain(session).empty());
  session.feed("\xac\"}\n");
  CHECK(drain(session) == std::vector<std::string>{"reply 2 \"\xe2\x82\xac\""});
  session.feed("{\"event\": \"\xe2\x82\"}\n");
  CHECK(drain(session).empty());
  REQUIRE(session.closed());
  CHECK(session.closed()->kind == Closed::Kind::malformed);
}

TEST_CASE("the members of a message come in any order, known ones once more and unknown ones") {
  auto session = ready_session();
  session.execute("x");
  session.feed(
      "{\"id\": {\"id\": 2}, \"extra\": [{\"return\": 1, \"event\": \"NO\"}], \"return\": {\"a\": "
      "[1]},"
      " \"return\": {\"b\": [[], {}]}, \"id\": 2}\n"
      "{\"data\": {\"timestamp\": {\"seconds\": 5}, \"event\": \"NO\"}, \"event\": \"YES\","
      " \"timestamp\": {\"more\": {\"seconds\": 7}, \"seconds\": 3, \"microseconds\": 4.5}}\n");
  auto message = session.next();
  REQUIRE(message);
  CHECK(describe(*message) == "reply 2 {\"b\":[[],{}]}");
  message = session.next();
  REQUIRE(message);
  const auto& event = std::get<qmp::Event>(*message);
  CHECK(event.name == "YES");
  CHECK(event.data["timestamp"]["seconds"] == 5);
  CHECK(event.time.time_since_epoch() == std::chrono::seconds(3));
}

TEST_CASE("QEMU's published examples mean what its documentation says") {
  // Values and words of the examples in the specification of the protocol.
  Session session(qmp::default_line_cap, true);
  session.feed(
      "{ \"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": 3},"
      " \"package\": \"v3.0.0\"}, \"capabilities\": [\"oob\"] } }\r\n");
  const auto message = session.next();
  REQUIRE(message);
  const auto& greeting = std::get<qmp::Greeting>(*message);
  CHECK(greeting.version["package"] == "v3.0.0");
  session.feed("{ \"return\": {}, \"id\": 1 }\r\n");
  CHECK(drain(session) == std::vector<std::string>{"ready"});
  take_outgoing(session);
  CHECK(session.execute("stop") == 2);
  CHECK(session.execute("query-kvm") == 3);
  CHECK(session.execute("migrate-pause", nullptr, Session::Band::out) == 4);
  CHECK(session.execute("query-foo") == 5);
  take_outgoing(session);
  session.feed(
      "{ \"id\": 4,\r"
      "  \"error\": { \"class\": \"GenericError\",\t\"desc\":"
      " \"migrate-pause is currently only supported during postcopy-active state\" } }\r\n"
      "{ \"return\": {}, \"id\": 2 }\r\n"
      "{ \"timestamp\": { \"seconds\": 1258551470, \"microseconds\": 802384 },"
      " \"event\": \"POWERDOWN\" }\r\n"
      "{ \"return\": { \"enabled\": true, \"present\": true }, \"id\": 3 }\r\n"
      "{ \"return\": { \"enabled\": true, \"present\": true }, \"id\": \"example\"}\r\n"
      "{ \"error\": { \"class\": \"CommandNotFound\","
      " \"desc\": \"The command query-foo has not been found\" }, \"id\": 5 }\r\n"
      "{ \"error\": { \"class\": \"GenericError\","
      " \"desc\": \"JSON parse error, expecting value\" } }\r\n");
  CHECK(drain(session) ==
        std::vector<std::string>{
            "refusal 4 GenericError: migrate-pause is currently only supported during "
            "postcopy-active state",
            "reply 2 {}", "event POWERDOWN", R"(reply 3 {"enabled":true,"present":true})",
            "refusal 5 CommandNotFound: The command query-foo has not been found",
            "complaint JSON parse error, expecting value"});
  CHECK(session.dropped() == 1);
  CHECK_FALSE(session.closed());
}

TEST_CASE("the line cap") {
  Session session(200);
  session.feed(test::greeting);
  session.feed("{\"return\": {}, \"id\": 1}\n");
  CHECK(drain(session) == std::vector<std::string>{"greeting", "ready"});
  session.execute("x");
  const std::string head = "{\"id\": 2, \"return\": \"";
  SUBCASE("a message of just that length passes") {
    session.feed(head + std::string(200 - head.size() - 2, 'x') + "\"}\n");
    CHECK(drain(session).size() == 1);
    CHECK_FALSE(session.closed());
  }
  SUBCASE("a longer one does not, and is not waited for to its end") {
    session.feed(head + std::string(201 - head.size(), 'x'));
    CHECK(drain(session).empty());
    REQUIRE(session.closed());
    CHECK(session.closed()->kind == Closed::Kind::malformed);
    CHECK(session.closed()->cause == "the peer sent a message longer than the limit");
  }
}

TEST_CASE("the end of input in every state") {
  Session session;
  std::string expected;
  SUBCASE("before the greeting") {
    expected = "the peer closed the connection before its greeting";
  }
  SUBCASE("within the greeting") {
    session.feed(test::greeting.substr(0, 10));
    expected = "the peer closed the connection in the middle of a message";
  }
  SUBCASE("during the negotiation") {
    session.feed(test::greeting);
    expected = "the peer closed the connection during the capability negotiation";
  }
  SUBCASE("with nothing under way") {
    session = ready_session();
    expected = "the peer closed the connection";
  }
  SUBCASE("with a command under way") {
    session = ready_session();
    session.execute("x");
    expected = "the peer closed the connection";
  }
  SUBCASE("within a reply") {
    session = ready_session();
    session.execute("x");
    session.feed("{\"return\": {}, \"id\": 2}");
    expected = "the peer closed the connection in the middle of a message";
  }
  session.end_of_input();
  drain(session);
  REQUIRE(session.closed());
  CHECK(session.closed()->kind == Closed::Kind::gone);
  CHECK(session.closed()->cause == expected);
  CHECK(session.outgoing().empty());
  CHECK(session.in_flight() == 0);
  session.feed("{\"event\": \"LATE\"}\n");
  CHECK(drain(session).empty());
}

TEST_CASE("the last words before the end are heard, and a known cause is told") {
  auto session = ready_session();
  session.execute("quit");
  session.feed("{\"event\": \"SHUTDOWN\"}\n{\"return\": {}, \"id\": 2}\n");
  session.end_of_input("the process exited");
  CHECK_FALSE(session.closed());
  CHECK(drain(session) == std::vector<std::string>{"event SHUTDOWN", "reply 2 {}"});
  REQUIRE(session.closed());
  CHECK(session.closed()->cause == "the process exited");
}
