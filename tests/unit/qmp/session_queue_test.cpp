// SPDX-License-Identifier: MIT
// What a session sends, in which order, and to which command an answer belongs.
#include "talk.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using nlohmann::json;
using qmp::Session;
using test::drain;
using test::ready_session;
using test::take_outgoing;

TEST_CASE("out-of-band execution is asked for only where it is wanted and offered") {
  Session session(qmp::default_line_cap, true);
  SUBCASE("offered") {
    session.feed(test::greeting);
    drain(session);
    CHECK(take_outgoing(session) ==
          R"({"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":1})");
    CHECK_FALSE(session.oob_enabled());
    session.feed("{\"return\": {}, \"id\": 1}\n");
    drain(session);
    CHECK(session.oob_enabled());
    session.execute("migrate-pause", nullptr, Session::Band::out);
    CHECK(take_outgoing(session) == R"({"exec-oob":"migrate-pause","id":2})");
  }
  SUBCASE("not offered") {
    session.feed("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n");
    drain(session);
    CHECK(take_outgoing(session) == R"({"execute":"qmp_capabilities","id":1})");
    session.feed("{\"return\": {}, \"id\": 1}\n");
    drain(session);
    CHECK_FALSE(session.oob_enabled());
  }
}

TEST_CASE("commands are compact, counted, and go out behind the negotiation") {
  Session session;
  CHECK(session.execute("query-status") == 1);
  CHECK(session.execute("eject", {{"id", "cd,0\"\n"}, {"force", true}}) == 2);
  CHECK(session.outgoing().empty());
  session.feed(test::greeting);
  drain(session);
  CHECK(take_outgoing(session) == "{\"execute\":\"qmp_capabilities\",\"id\":3}");
  CHECK(take_outgoing(session) ==
        "{\"execute\":\"query-status\",\"id\":1}"
        "{\"execute\":\"eject\",\"arguments\":{\"force\":true,"
        "\"id\":\"cd,0\\\"\\n\"},\"id\":2}");
  CHECK(session.in_flight() == 3);
}

TEST_CASE("what is partly sent goes on where it stopped") {
  auto session = ready_session();
  session.execute("stop");
  const std::string whole(session.outgoing());
  session.sent(5);
  CHECK(session.outgoing() == whole.substr(5));
  session.execute("cont");
  CHECK(take_outgoing(session) == whole.substr(5) + R"({"execute":"cont","id":3})");
  CHECK(session.outgoing().empty());
}

TEST_CASE("arguments are an object or nothing, and bad UTF-8 in them does not throw") {
  auto session = ready_session();
  CHECK_THROWS_AS(session.execute("x", json::array({1})), std::invalid_argument);
  CHECK_THROWS_AS(session.execute("x", "text"), std::invalid_argument);
  CHECK(session.in_flight() == 0);
  session.execute("x", json::object());
  CHECK(take_outgoing(session) == R"({"execute":"x","id":2})");
  session.execute("x", {{"file", "a\xff"}});
  CHECK(take_outgoing(session) ==
        "{\"execute\":\"x\",\"arguments\":{\"file\":\"a\xef\xbf\xbd\"},\"id\":3}");
}

TEST_CASE("replies nobody waits for are dropped") {
  auto session = ready_session();
  session.execute("slow");
  session.forget(2);
  session.execute("quick");
  session.feed(
      "{\"return\": 1, \"id\": 2}\n"                     // forgotten
      "{\"return\": 1, \"id\": 99}\n"                    // never sent
      "{\"return\": 1, \"id\": \"3\"}\n"                 // not a number
      "{\"return\": 1, \"id\": -3}\n"                    // not one of ours
      "{\"return\": 1, \"id\": 18446744073709551619}\n"  // above 2^64: a double
      "{\"return\": 1, \"id\": 3.0}\n"                   // a double
      "{\"return\": 1}\n"                                // without
      "{\"id\": 99, \"error\": {\"class\": \"GenericError\", \"desc\": \"late\"}}\n"
      "{\"return\": 5, \"id\": 3}\n"
      "{\"return\": 5, \"id\": 3}\n");  // twice
  CHECK(drain(session) == std::vector<std::string>{"reply 3 5"});
  CHECK(session.dropped() == 9);
  CHECK_FALSE(session.closed());
}

TEST_CASE("an error without an id belongs to a command only where no other can be meant") {
  const std::string error =
      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n";
  const std::vector<std::string> complaint{"complaint JSON parse error"};
  auto session = ready_session();
  SUBCASE("nothing is under way") {
    session.feed(error);
    CHECK(drain(session) == complaint);
  }
  SUBCASE("one command is") {
    session.execute("x");
    take_outgoing(session);
    session.feed(error);
    CHECK(drain(session) == std::vector<std::string>{"refusal 2 GenericError: JSON parse error"});
    // One bad input can bring several: the next command is not to blame for the second.
    session.execute("y");
    take_outgoing(session);
    session.feed(error + "{\"return\": 1, \"id\": 3}\n");
    CHECK(drain(session) == std::vector<std::string>{complaint[0], "reply 3 1"});
    session.execute("z");
    take_outgoing(session);
    session.feed(error);
    CHECK(drain(session) == std::vector<std::string>{"refusal 4 GenericError: JSON parse error"});
  }
  SUBCASE("two are") {
    session.execute("x");
    session.execute("y");
    take_outgoing(session);
    session.feed(error + "{\"return\": 1, \"id\": 3}\n");
    CHECK(drain(session) == std::vector<std::string>{complaint[0], "reply 3 1"});
    CHECK(session.in_flight() == 1);
  }
  SUBCASE("one was forgotten, and may be the one") {
    session.execute("x");
    take_outgoing(session);
    session.forget(2);
    session.execute("y");
    take_outgoing(session);
    session.feed(error);
    CHECK(drain(session) == complaint);
    session.feed("{\"return\": 1, \"id\": 3}\n");
    drain(session);
    session.execute("z");
    take_outgoing(session);
    session.feed(error);
    CHECK(drain(session) == std::vector<std::string>{"refusal 4 GenericError: JSON parse error"});
  }
  SUBCASE("the one under way was not sent yet") {
    session.execute("x");
    session.feed(error);
    CHECK(drain(session) == complaint);
    CHECK(session.in_flight() == 1);
  }
  CHECK_FALSE(session.closed());
}

TEST_CASE("descriptors go with the first byte of their command, one set at a time") {
  auto session = ready_session();
  using Fds = std::vector<int>;
  const auto text = [](const char* name, int id) {
    return std::string(R"({"execute":")") + name + R"(","id":)" + std::to_string(id) + "}";
  };
  session.execute("a");
  session.execute("b", nullptr, Session::Band::in, {7, 8});
  session.execute("c");
  session.execute("d", nullptr, Session::Band::in, {9});
  session.execute("e");
  CHECK(session.outgoing() == text("a", 2));
  CHECK(session.outgoing_fds().empty());
  take_outgoing(session);
  CHECK(session.outgoing() == text("b", 3));
  CHECK(session.outgoing_fds() == Fds{7, 8});
  session.sent(1);
  CHECK(session.outgoing() == text("b", 3).substr(1));
  CHECK(session.outgoing_fds().empty());
  take_outgoing(session);
  CHECK(take_outgoing(session) == text("c", 4));
  // QEMU keeps the descriptors it received last: more of them would replace those of `b`.
  CHECK(session.outgoing().empty());
  CHECK(session.outgoing_fds().empty());
  SUBCASE("answered") {
    session.feed("{\"return\": {}, \"id\": 3}\n");
    CHECK(drain(session).size() == 1);
    CHECK(session.outgoing() == text("d", 5));
    CHECK(session.outgoing_fds() == Fds{9});
    take_outgoing(session);
    CHECK(take_outgoing(session) == text("e", 6));
  }
  SUBCASE("answered late, when nobody waits any more") {
    session.forget(3);
    CHECK(session.outgoing().empty());
    session.feed("{\"return\": {}, \"id\": 3}\n");
    CHECK(drain(session).empty());
    CHECK(session.outgoing_fds() == Fds{9});
  }
  SUBCASE("what was not sent yet is not sent at all once it is forgotten") {
    session.forget(5);
    CHECK(take_outgoing(session) == text("e", 6));
    session.feed("{\"return\": {}, \"id\": 5}\n");
    CHECK(drain(session).empty());
  }
}

TEST_CASE("what is out of band overtakes a command that waits with its descriptors") {
  Session session(qmp::default_line_cap, true);
  session.feed(test::greeting);
  drain(session);
  session.feed("{\"return\": {}, \"id\": 1}\n");
  drain(session);
  take_outgoing(session);
  session.execute("a", nullptr, Session::Band::in, {7});
  take_outgoing(session);
  session.execute("b", nullptr, Session::Band::in, {8});
  CHECK(session.outgoing().empty());
  session.execute("c", nullptr, Session::Band::out);
  CHECK(take_outgoing(session) == R"({"exec-oob":"c","id":4})");
  CHECK(session.outgoing().empty());
  // Its reply says nothing about those in band.
  session.feed("{\"return\": {}, \"id\": 4}\n");
  drain(session);
  CHECK(session.outgoing().empty());
  session.feed("{\"return\": {}, \"id\": 2}\n");
  drain(session);
  CHECK(take_outgoing(session) == R"({"execute":"b","id":3})");
}

TEST_CASE("a command that no QEMU would read is not sent") {
  auto session = ready_session();
  json deep = json::object();
  for (int i = 0; i < 1022; ++i) deep = json{{"a", std::move(deep)}};
  CHECK_NOTHROW(session.execute("x", deep));  // 1024 levels with the command's own
  take_outgoing(session);
  CHECK_THROWS_AS(session.execute("x", json{{"a", deep}}), std::invalid_argument);
  CHECK_THROWS_AS(session.execute("x", {{"a", std::string(std::size_t{64} << 20, 'x')}}),
                  std::invalid_argument);
  CHECK(session.outgoing().empty());
  CHECK(session.in_flight() == 1);
}
