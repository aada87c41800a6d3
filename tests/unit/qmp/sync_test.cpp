// SPDX-License-Identifier: MIT
#include "qmp/sync.hpp"

#include "blocking.hpp"
#include "peer.hpp"
#include "qmp/message.hpp"
#include "scratch.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::SyncClient;
using test::hasty;
using test::Peer;
using test::plenty;
using test::Stage;
using test::thrown_by;
using namespace std::chrono_literals;

TEST_CASE("sync: greeting, reply, refusal") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), R"({"status": "running"})");
    stage.refuse(stage.hear(), "CommandNotFound", "the command was not found");
    stage.answer(stage.hear(), R"("text\r\n")");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(client.greeting().version["qemu"]["major"] == 7);
  CHECK(client.execute("query-status") == json{{"status", "running"}});
  const auto refused = thrown_by<qmp::Refused>([&] {
    client.execute("query-nothing", {{"a", 1}});
  });
  CHECK(refused.error_class() == "CommandNotFound");
  CHECK(refused.desc() == "the command was not found");
  CHECK(refused.sent() == R"({"execute":"query-nothing","arguments":{"a":1},"id":3})");
  CHECK(std::string(refused.what()) == "`query-nothing` was refused: the command was not found");
  CHECK(client.human_monitor("info version") == "text\r\n");
  CHECK((::fcntl(client.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("sync: a silent peer is a busy one") {
  Peer peer([](Stage& stage) { stage.wait_for_close(); });
  const auto start = std::chrono::steady_clock::now();
  const auto busy = thrown_by<qmp::Busy>([&] { SyncClient::adopt(peer.take(), hasty()); });
  CHECK(std::chrono::steady_clock::now() - start >= 50ms);
  CHECK(std::string(busy.what()) ==
        "no QMP greeting came in time: a QMP socket serves one client at a time, and another "
        "program may be holding it");
}

TEST_CASE("sync: a peer that greets and then is silent times out as such") {
  test::Bell greeted;
  Peer peer([&](Stage& stage) {
    stage.say(test::greeting);
    greeted.ring();
    stage.wait_for_close();
  });
  char nothing = 0;
  REQUIRE(::read(greeted.fd(), &nothing, 1) == 0);  // returns once the bell rings
  const auto late = thrown_by<qmp::Timeout>([&] { SyncClient::adopt(peer.take(), hasty()); });
  CHECK(std::string(late.what()) == "the capability negotiation was not answered in time");
}

TEST_CASE("sync: the end of the peer, at each point") {
  std::function<void(Stage&)> script;
  std::string cause;
  SUBCASE("before the greeting") {
    script = [](Stage&) {};
    cause = "the peer closed the connection before its greeting";
  }
  SUBCASE("during the negotiation") {
    script = [](Stage& stage) {
      stage.say(test::greeting);
      stage.hear();
    };
    cause = "the peer closed the connection during the capability negotiation";
  }
  SUBCASE("instead of a reply") {
    script = [](Stage& stage) {
      stage.open();
      stage.hear();
    };
    cause = "the peer closed the connection";
  }
  SUBCASE("in the middle of a reply") {
    script = [](Stage& stage) {
      stage.open();
      stage.hear();
      stage.say(R"({"return": {"half)");
    };
    cause = "the peer closed the connection in the middle of a message";
  }
  Peer peer(script);
  const auto gone =
      thrown_by<qmp::Gone>([&] { SyncClient::adopt(peer.take()).execute("query-status"); });
  CHECK(gone.cause() == cause);
}

TEST_CASE("sync: the end is final") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    stage.line(R"({"event": "SHUTDOWN"})");
  });
  auto client = SyncClient::adopt(peer.take());
  client.quit();
  const auto gone = thrown_by<qmp::Gone>([&] { client.execute("query-status"); });
  CHECK(std::string(gone.what()) ==
        "the connection ended before `query-status` was answered: the peer closed the connection");
  const auto event = client.wait_event({"SHUTDOWN"}, plenty);
  REQUIRE(event);
  CHECK_THROWS_AS(client.wait_event({}, plenty), qmp::Gone);
}

TEST_CASE("sync: a watch that fires ends the waiting with its cause") {
  test::Bell bell;
  SUBCASE("before the greeting") {
    Peer peer([&](Stage& stage) {
      bell.ring();
      stage.wait_for_close();
    });
    const auto gone = thrown_by<qmp::Gone>([&] {
      SyncClient::adopt(peer.take(), {}, {{bell.fd(), "the process exited"}});
    });
    CHECK(gone.cause() == "the process exited");
  }
  SUBCASE("during a command, after the last words") {
    Peer peer([&](Stage& stage) {
      stage.open();
      stage.answer(stage.hear(), "1");
      stage.hear();
      stage.line(R"({"event": "SHUTDOWN"})");
      bell.ring();
      stage.wait_for_close();
    });
    auto client = SyncClient::adopt(peer.take(), {}, {{bell.fd(), "the process exited"}});
    CHECK(client.execute("one") == 1);
    const auto gone = thrown_by<qmp::Gone>([&] { client.execute("two"); });
    CHECK(gone.cause() == "the process exited");
    CHECK(client.wait_event({"SHUTDOWN"}, plenty).has_value());
  }
}

TEST_CASE("sync: the reply to a command that timed out is not taken for another's") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto slow = stage.hear();
    const auto quick = stage.hear();
    stage.answer(slow, "\"slow\"");
    stage.answer(quick, "\"quick\"");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto late = thrown_by<qmp::Timeout>([&] { client.execute("slow", nullptr, 20ms); });
  CHECK(std::string(late.what()) == "`slow` was not answered in time");
  CHECK(client.execute("quick") == "quick");
}

TEST_CASE("sync: a peer that never stops talking cannot hold up a deadline") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    std::string chunk;
    for (int i = 0; i < 100; ++i) chunk += "{\"event\": \"NOISE\"}\r\n";
    // About 2 GB: far longer than the test, which ends it by closing.
    for (int i = 0; i < 1000000 && stage.say(chunk); ++i) {
    }
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK_THROWS_AS(client.execute("x", nullptr, 30ms), qmp::Timeout);
  CHECK_FALSE(client.wait_event({"OTHER"}, 30ms));
}

TEST_CASE("sync: events are kept until they are asked for, by name and in order") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 1}})");
    stage.line(R"({"event": "RESUME", "data": {"n": 2}})");
    stage.answer(command, "{}");
    stage.line(R"({"event": "STOP", "data": {"n": 3}})");
    stage.answer(stage.hear(), "{}");
    stage.line(R"({"event": "LAST"})");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  client.execute("a");
  auto event = client.wait_event({"RESUME", "OTHER"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 2);
  event = client.wait_event({}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 1);
  event = client.wait_event({"STOP"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 3);
  CHECK_FALSE(client.wait_event({}, 10ms));
  client.execute("b");
  CHECK(client.wait_event({"LAST"}, plenty).has_value());
  CHECK(client.lost_events() == 0);
}

TEST_CASE("sync: discarded events are not found any more") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 1}})");
    stage.answer(command, "{}");
    const auto next = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 2}})");
    stage.answer(next, "{}");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  client.execute("a");
  client.discard_events();
  client.execute("b");
  const auto event = client.wait_event({"STOP"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 2);
}

TEST_CASE("sync: a burst of events loses the oldest, counts them, and not the reply") {
  constexpr int burst = 100000;
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    for (int i = 0; i < burst; ++i) {
      stage.line(R"({"event": "BURST", "data": {"n": )" + std::to_string(i) + "}}");
    }
    stage.answer(command, "{}");
    stage.wait_for_close();
  });
  qmp::Options options;
  options.event_capacity = 1000;
  auto client = SyncClient::adopt(peer.take(), options);
  client.execute("x");
  CHECK(client.lost_events() == burst - 1000);
  const auto event = client.wait_event({}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == burst - 1000);
}

TEST_CASE("sync: a long reply and a long command") {
  const std::string reply_text(200000, 'r');
  const std::string command_text(4000000, 'c');
  Peer peer([&](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), json(reply_text).dump());
    const auto command = json::parse(stage.hear_bytes(command_text.size()));
    stage.answer(json{{"id", command["id"]}}.dump(),
                 std::to_string(command["arguments"]["text"].get<std::string>().size()));
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(client.execute("query-qmp-schema") == reply_text);
  CHECK(client.execute("x", {{"text", command_text}}) == command_text.size());
}

TEST_CASE("sync: garbage ends the conversation as malformed") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    stage.line("what?");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto malformed = thrown_by<qmp::Malformed>([&] { client.execute("x"); });
  // The carriage return is the second one.
  CHECK(std::string(malformed.what()) == "the peer sent what is not JSON: `what??`");
  CHECK_THROWS_AS(client.execute("y"), qmp::Malformed);
}
